curl -X POST http://localhost:8000/api/rppg/measure \
  -H "X-API-Key: beam_sk_your_key" \
  -F "session_id=patient-7" \
  -F "frame=@frame-0.jpg" -F "timestamp_ms=0" \
  -F "frame=@frame-1.jpg" -F "timestamp_ms=33.3"
