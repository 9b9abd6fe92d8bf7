#!/usr/bin/env bash
# Tells Spark the addresses of a machine's NVIDIA GPUs: a spark.executor.resource.gpu.discoveryScript.
gpus=$(nvidia-smi --query-gpu=index --format=csv,noheader) || exit 1
echo "{\"name\": \"gpu\", \"addresses\": [$(sed 's/.*/"&"/' <<< "$gpus" | paste -sd, -)]}"
