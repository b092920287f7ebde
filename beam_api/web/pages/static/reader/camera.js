const MODES = ["exposureMode", "whiteBalanceMode"];
const VALUES = { exposureMode: ["exposureTime", "iso"], whiteBalanceMode: ["colorTemperature"] };
const SLOWEST_RATE = 15;
const [SETTLE_MS, ACT_MS] = [1000, 500];
const SAME_LIGHT = 1.25; // a camera whose picture changes by more on being locked has not kept its values
const SIDE = 16;
/**
 * Fix frame rate, exposure and white balance of a camera at what they are: what it adjusts by itself is larger than a pulse.
 *
 * Only what the camera says it can do is asked for, one thing at a time; what it refuses stays automatic. Returns what
 * is fixed: nothing where the browser or the camera has no such controls. Call it when the picture has settled.
 */
export async function lockCamera(track) {
    const can = capabilities(track);
    const locked = [];
    const { frameRate = 0 } = track.getSettings();
    if (can.frameRate?.max !== undefined && frameRate >= SLOWEST_RATE && (await applied(track, { frameRate }))) {
        locked.push("frameRate");
    }
    for (const mode of MODES) {
        if (can[mode]?.includes("manual") && (await applied(track, { [mode]: "manual", ...present(track, mode) }))) {
            locked.push(mode);
        }
    }
    return locked;
}
/** Let a camera adjust exposure and white balance by itself again. */
export async function unlockCamera(track) {
    const can = capabilities(track);
    for (const mode of MODES) {
        if (can[mode]?.includes("continuous"))
            await applied(track, { [mode]: "continuous" });
    }
}
/** Lock the camera that a `<video>` shows once its picture has settled, and unlock it if that changes the picture. */
export async function lockSettled(video, track) {
    await pause(SETTLE_MS);
    if (track.readyState !== "live")
        return;
    const before = brightness(video);
    if (!(await lockCamera(track)).some((fixed) => fixed !== "frameRate"))
        return;
    await pause(ACT_MS);
    if (track.readyState !== "live")
        return;
    const change = brightness(video) / before;
    if (change > SAME_LIGHT || change < 1 / SAME_LIGHT)
        await unlockCamera(track);
}
function capabilities(track) {
    return (track.getCapabilities?.() ?? {});
}
/** The values at which a mode is to stay, as far as the camera tells them. */
function present(track, mode) {
    const settings = track.getSettings();
    const known = VALUES[mode].flatMap((name) => {
        const value = settings[name];
        return typeof value === "number" && value > 0 ? [[name, value]] : [];
    });
    return Object.fromEntries(known);
}
/** Add to the track's constraints; false where the camera won't. */
async function applied(track, values) {
    const before = track.getConstraints();
    const others = (before.advanced ?? []).filter((set) => !Object.keys(values).some((name) => name in set));
    // Chromium takes controls of the camera by themselves only; others drop the size of the picture if it is not repeated.
    for (const constraints of [{ ...before, advanced: [...others, values] }, { advanced: [values] }]) {
        try {
            await track.applyConstraints(constraints);
        }
        catch {
            continue;
        }
        const settings = track.getSettings();
        if (Object.entries(values).every(([name, value]) => typeof value === "number" || settings[name] === value))
            return true;
    }
    return false;
}
function brightness(video) {
    const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    context.drawImage(video, 0, 0, SIDE, SIDE);
    return context.getImageData(0, 0, SIDE, SIDE).data.reduce((sum, level) => sum + level, 0);
}
function pause(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}
