# Calls a server with Triton's client for gRPC: triton.py ADDRESS KEY
import json
import sys

import numpy
from tritonclient import grpc

address, key = sys.argv[1:]
client, headers = grpc.InferenceServerClient(address), {"authorization": "Bearer " + key}
x = grpc.InferInput("x", [2, 2], "FP32")
x.set_data_from_numpy(numpy.array([[1, 2], [numpy.nan, 0]], numpy.float32))
ward = grpc.InferInput("ward", [2, 1], "BYTES")
ward.set_data_from_numpy(numpy.array([["B"], ["é"]], object))
answer = client.infer("net", [x, ward], headers=headers, request_id="9")
try:
    client.infer("nix", [x, ward], headers=headers)
    refused = ""
except grpc.InferenceServerException as e:
    refused = e.status()
print(json.dumps({
    "live": client.is_server_live(headers=headers),
    "ready": client.is_model_ready("net", headers=headers),
    "platform": client.get_model_metadata("net", headers=headers).platform,
    "id": answer.get_response().id,
    "p": [round(float(v), 5) for v in numpy.nan_to_num(answer.as_numpy("p"), nan=-1).flatten()],
    "code": answer.as_numpy("code").tolist(),
    "refused": refused,
}))
