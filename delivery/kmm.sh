#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: kmm.sh INDEX
#
# Print the Module resource of Kernel Module Management (kmm.sigs.x-k8s.io/v1beta1) for the kernels of a published
# index: one literal a kernel, and images by digest.  A node with another kernel is not touched.

# shellcheck source=delivery/lib.sh
. "$(dirname "$0")/lib.sh"
[[ $# -eq 1 ]] || die "usage: kmm.sh INDEX"
[[ -f $1 ]] || die "there is no index '$1'"
read_index "$1"
jq --exit-status 'any(.kernels[]; .oci.kmm)' "$1" >/dev/null ||
	die "'$1' has no image for Kernel Module Management; run: make publish REGISTRY=host/repository"
cat <<EOF
apiVersion: kmm.sigs.x-k8s.io/v1beta1
kind: Module
metadata:
  name: wireguard
spec:
  moduleLoader:
    container:
      modprobe:
        moduleName: wireguard
        dirName: /opt
      kernelMappings:
EOF
jq --raw-output '.registry as $registry | .kernels[] | select(.oci.kmm) |
	"        - literal: \(.release | tojson)\n          containerImage: \"\($registry)/kmm@\(.oci.kmm)\""' "$1"
cat <<EOF
  selector:
    kubernetes.io/arch: amd64
EOF
