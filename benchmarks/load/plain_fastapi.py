"""A server as one writes it in half an hour: FastAPI, Pillow, and the same network as an ordinary module of PyTorch.

    python plain_fastapi.py RUN THREADS

Writes where it answers, as ``cnnlab serve`` does.
"""

import io
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from PIL import Image

import cnnlab


def main() -> None:
    run, threads = cnnlab.Run(Path(sys.argv[1])), sys.argv[2]
    torch.set_num_threads(int(threads))
    model = run.classifier().eval()
    names = model.classes["label"]
    app = FastAPI()

    def answer(body: bytes) -> dict[str, Any]:
        picture = Image.open(io.BytesIO(body)).convert("RGB").resize((32, 32))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
        with torch.no_grad():
            likely = model(pixels).softmax(1)[0]
        best = int(likely.argmax())
        return {"predicted": names[best], "confidence": float(likely[best])}

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        return await run_in_threadpool(answer, await request.body())

    # As uvicorn's own: of a socket that does not say that it is TCP, asyncio would have answers wait for one another.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(f"plain answers at http://127.0.0.1:{listener.getsockname()[1]} until Ctrl-C.", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    main()
