/** What the browser lacks for reading faces, by its name; null if it has everything. */
export function missingFeature() {
    if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype))
        return "requestVideoFrameCallback";
    if (typeof Worker === "undefined")
        return "Worker";
    if (typeof DecompressionStream === "undefined")
        return "DecompressionStream";
    return null;
}
