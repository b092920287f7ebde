# pip install requests opencv-python; then: python measure.py face.mp4
import sys
import time

import cv2
import requests

URL = "http://localhost:8000/api/rppg/measure"
HEADERS = {"X-API-Key": "beam_sk_your_key"}
session = f"video-{time.time_ns()}"  # which person: one name per person at a time


def send(batch):
    """Post one second of frames; wait and post the same again when told to."""
    fields = [("session_id", session)] + [("timestamp_ms", f"{at:.3f}") for at, _ in batch]
    files = [("frame", ("frame.jpg", jpeg, "image/jpeg")) for _, jpeg in batch]
    for _ in range(10):
        answer = requests.post(URL, headers=HEADERS, data=fields, files=files, timeout=60)
        if answer.status_code not in (429, 503):
            return answer
        time.sleep(float(answer.headers["Retry-After"]))
    sys.exit("The service has no room for these requests.")


video, batch = cv2.VideoCapture(sys.argv[1]), []
while True:
    good, image = video.read()
    if not good:
        sys.exit("The video ended before 30 seconds were together.")
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    batch.append((video.get(cv2.CAP_PROP_POS_MSEC), jpeg))
    if len(batch) < 30:
        continue
    answer, batch = send(batch), []
    body = answer.json()
    if answer.status_code == 200:
        break
    if answer.status_code != 202 and body["error"]["code"] != "NO_FACE_DETECTED":
        sys.exit(body["error"]["message"])

for vital in ("heart_rate", "hrv", "respiration_rate", "stress_index", "spo2"):
    value = body["data"][vital]
    print(vital, value if value is not None else f"withheld: {body['data']['withheld'][vital]}")
