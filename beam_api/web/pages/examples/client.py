# pip install "beam-rppg-client[video]"
from beam_client import Beam

print(Beam("http://localhost:8000", "beam_sk_your_key").measure("face.mp4"))
