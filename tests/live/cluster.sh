#!/bin/bash
# Runs a command against a real Kubernetes cluster of one node on this machine, then takes everything down.
#
#   tests/live/cluster.sh [COMMAND [ARGUMENT...]]
#
# Without a command it runs the tests of the Kubernetes kinds (test_cluster*.py, and their fixtures in test_every_step.py).
# The command finds the administrator's kube config as CHANGEWINDOW_KUBECONFIG in its environment; with that, the tests'
# `kubernetes_server.running()` gives this cluster instead of the local stand-in.
#
# Needs root on a Debian machine and Go: containerd comes from Debian, and Kubernetes and etcd are built from their Go
# modules, once, which takes a quarter of an hour on two cores. No image registry is needed: images are made here, of
# busybox. Pods see this machine's /tmp as theirs, so that a test sees what they write.
set -euo pipefail

version=v1.36.3
etcd_version=v3.6.5
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${XDG_CACHE_HOME:-$HOME/.cache}/changewindow-tests/kubernetes-$version
scratch=${TMPDIR:-/tmp}/changewindow-cluster
patience=${CHANGEWINDOW_LIVE_PATIENCE:-120}  # Seconds until each part is well.
bridge=changewindow0
node=live
images=registry.example.org/cart
runs='trap "exit 0" TERM; echo "$0 started"; while :; do sleep 3600 & wait $!; done'
parts=()
driver=

say() {
    echo "[$(printf '%4d' "$SECONDS") s] $*"
}

until_well() {
    local what=$1 deadline=$((SECONDS + patience))
    shift
    until "$@" > /dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { say "$what is not well; see $scratch/log"; tail -n 20 "$scratch"/log/*; exit 1; }
        sleep 0.5
    done
}

install_packages() {
    command -v containerd > /dev/null && command -v runc > /dev/null && command -v openssl > /dev/null &&
        [ -x /bin/busybox ] && [ -x /usr/lib/cni/bridge ] && [ -x /usr/sbin/iptables ] && return
    apt-get update &&
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
            containerd runc containernetworking-plugins busybox-static iptables openssl curl
}

build() {
    local module=$scratch/build/$1
    mkdir -p "$module" "$bin.part"
    echo "module cluster" > "$module/go.mod"
    (cd "$module" && "build_$1")
}

# The parts of Kubernetes are modules of their own, which its module names only by their folders.
build_kubernetes() {
    local mod
    mod=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
    sed -n "s|^\t\(k8s.io/[^ ]*\) => ./staging/.*|\1|p" "$mod" |
        while read -r part; do go mod edit -replace "$part=$part@v0${version#v1}"; done
    go get k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet}@"$version"
    go build -ldflags "-X k8s.io/component-base/version.gitVersion=$version" -o "$bin.part/" \
        k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet}
}

build_etcd() {
    go get "go.etcd.io/etcd/server/v3@$etcd_version"
    go build -o "$bin.part/etcd" go.etcd.io/etcd/server/v3
}

build_all() {
    [ ! -e "$bin" ] || return 0
    say "Building Kubernetes $version and etcd $etcd_version"
    build etcd
    build kubernetes
    mv "$bin.part" "$bin"
}

certificate() {
    local name=$1 subject=$2 names=${3:-DNS:$1}
    openssl req -newkey rsa:2048 -nodes -keyout "$scratch/pki/$name.key" -subj "$subject" 2> /dev/null |
        openssl x509 -req -days 2 -CA "$scratch/pki/ca.crt" -CAkey "$scratch/pki/ca.key" -CAcreateserial \
            -extfile <(echo "subjectAltName=$names") -out "$scratch/pki/$name.crt" 2> /dev/null
}

kube_config() {
    cat > "$scratch/$1.kubeconfig" << END
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "https://127.0.0.1:$api_port", certificate-authority: "$scratch/pki/ca.crt"}}]
users: [{name: me, user: {client-certificate: "$scratch/pki/$1.crt", client-key: "$scratch/pki/$1.key"}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
END
}

make_keys() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=changewindow-cluster \
        -keyout "$scratch/pki/ca.key" -out "$scratch/pki/ca.crt" 2> /dev/null
    openssl genrsa -out "$scratch/pki/accounts.key" 2048 2> /dev/null
    certificate server /CN=kube-apiserver IP:127.0.0.1
    certificate admin /O=system:masters/CN=admin
    certificate controller-manager /CN=system:kube-controller-manager
    certificate scheduler /CN=system:kube-scheduler
    certificate kubelet "/O=system:nodes/CN=system:node:$node"
    local user
    for user in admin controller-manager scheduler kubelet; do
        kube_config "$user"
    done
}

run() {
    local name=$1
    shift
    setsid "$@" > "$scratch/log/$name" 2>&1 &
    parts=("$!" "${parts[@]}")
    echo "$!" >> "$scratch/pids"
}

ask() {
    curl --silent --fail --cacert "$scratch/pki/ca.crt" --cert "$scratch/pki/admin.crt" --key "$scratch/pki/admin.key" \
        "https://127.0.0.1:$api_port$1"
}

start_control_plane() {
    run etcd "$bin/etcd" --data-dir "$scratch/etcd" --unsafe-no-fsync --log-level warn \
        --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
        --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
        --initial-cluster "default=http://127.0.0.1:$peer_port"
    until_well etcd curl --silent --fail "http://127.0.0.1:$etcd_port/health"
    run kube-apiserver "$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd_port" \
        --bind-address 127.0.0.1 --secure-port "$api_port" --service-cluster-ip-range 10.251.0.0/24 \
        --authorization-mode Node,RBAC --client-ca-file "$scratch/pki/ca.crt" \
        --tls-cert-file "$scratch/pki/server.crt" --tls-private-key-file "$scratch/pki/server.key" \
        --service-account-issuer https://changewindow.test --service-account-key-file "$scratch/pki/accounts.key" \
        --service-account-signing-key-file "$scratch/pki/accounts.key" \
        --kubelet-preferred-address-types InternalIP --kubelet-client-certificate "$scratch/pki/admin.crt" \
        --kubelet-client-key "$scratch/pki/admin.key"
    until_well kube-apiserver ask /readyz
    run kube-controller-manager "$bin/kube-controller-manager" --secure-port "$manager_port" --bind-address 127.0.0.1 \
        --kubeconfig "$scratch/controller-manager.kubeconfig" --use-service-account-credentials --leader-elect=false \
        --service-account-private-key-file "$scratch/pki/accounts.key" --root-ca-file "$scratch/pki/ca.crt"
    run kube-scheduler "$bin/kube-scheduler" --secure-port "$scheduler_port" --bind-address 127.0.0.1 \
        --kubeconfig "$scratch/scheduler.kubeconfig" --leader-elect=false
}

# Pods get this machine's /tmp as theirs.
containerd_config() {
    ctr oci spec | python3 -c '
import json, sys
spec = json.load(sys.stdin)
spec["mounts"].append({"destination": "/tmp", "type": "bind", "source": "/tmp", "options": ["bind", "rw"]})
json.dump(spec, sys.stdout)' > "$scratch/container.json"
    cat > "$scratch/containerd.toml" << END
version = 2
root = "$scratch/containerd/root"
state = "$scratch/containerd/state"
[grpc]
address = "$scratch/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "registry.example.org/pause:1"
netns_mounts_under_state_dir = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$scratch/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "$scratch/container.json"
END
    cat > "$scratch/cni/live.conflist" << END
{"cniVersion": "1.0.0", "name": "changewindow-live", "plugins": [
  {"type": "bridge", "bridge": "$bridge", "isGateway": true, "ipam":
    {"type": "host-local", "dataDir": "$scratch/cni/leases", "ranges": [[{"subnet": "10.250.0.0/24"}]]}}]}
END
}

# An image of busybox that runs a line of shell.
image() {
    local name=$1 line=$2 folder=$scratch/image
    local layer=$folder/layer.tar
    if [ ! -e "$layer" ]; then
        mkdir -p "$folder"/root/{bin,tmp}
        /bin/busybox --list | while read -r applet; do ln -s busybox "$folder/root/bin/$applet"; done
        cp --remove-destination /bin/busybox "$folder/root/bin/"
        touch "$folder/root/ready"
        tar --create --file "$layer" --owner 0 --group 0 --directory "$folder/root" .
    fi
    python3 - "$name" "$line" "$(sha256sum "$layer" | cut -d ' ' -f 1)" "$folder" << 'END'
import json, pathlib, sys
name, line, digest, folder = sys.argv[1:]
command = {"Cmd": ["/bin/sh", "-c", line, name.rpartition("/")[2]], "Env": ["PATH=/bin"]}
layers = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
config = {"architecture": "amd64", "os": "linux", "config": command, "rootfs": layers}
manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
pathlib.Path(folder, "config.json").write_text(json.dumps(config))
pathlib.Path(folder, "manifest.json").write_text(json.dumps(manifest))
END
    tar --create --directory "$folder" manifest.json config.json layer.tar | container images import -
}

container() {
    ctr --address "$scratch/containerd.sock" --namespace k8s.io "$@"
}

start_node() {
    containerd_config
    run containerd containerd --config "$scratch/containerd.toml"
    until_well containerd container version
    image registry.example.org/pause:1 "$runs"
    image "$images:2.14.3" "$runs"
    image "$images:2.15.0" "$runs"
    image "$images:crashing" 'echo "panic: no database"; exit 3'
    image "$images:unready" "rm /ready; $runs"
    cat > "$scratch/kubelet.yaml" << END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$scratch/containerd.sock
authentication: {x509: {clientCAFile: "$scratch/pki/ca.crt"}, anonymous: {enabled: false}}
port: $kubelet_port
healthzPort: 0
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
podLogsDir: $scratch/pods
volumePluginDir: $scratch/plugins
clusterDNS: [10.251.0.10]
clusterDomain: cluster.local
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
END
    run kubelet "$bin/kubelet" --config "$scratch/kubelet.yaml" --kubeconfig "$scratch/kubelet.kubeconfig" \
        --root-dir "$scratch/kubelet" --cert-dir "$scratch/kubelet/pki" --hostname-override "$node"
    until_well node is_ready
}

is_ready() {
    ask "/api/v1/nodes/$node" | python3 -c '
import json, sys
conditions = json.load(sys.stdin)["status"]["conditions"]
sys.exit(not any(one["type"] == "Ready" and one["status"] == "True" for one in conditions))'
}

cgroups() {
    find /sys/fs/cgroup -depth -type d -path '*/kubepods*'
}

mounts() {
    cut -d ' ' -f 2 /proc/mounts | { grep "^$scratch/" || true; } | sort --reverse
}

stop_all() {
    local one
    for one in "${parts[@]}"; do
        # what ends the pods ends last
        [ "$(cat "/proc/$one/comm" 2> /dev/null)" = containerd ] || kill "$one" 2> /dev/null || true
    done
    if [ -S "$scratch/containerd.sock" ]; then
        for one in $(container tasks list --quiet); do
            container tasks delete --force "$one" > /dev/null 2>&1 || true
        done
    fi
    for one in "${parts[@]}"; do
        kill "$one" 2> /dev/null || true
        wait "$one" 2> /dev/null || true
    done
}

clean_up() {
    local one
    # nobody else's: there were no such groups before
    cgroups | while read -r one; do
        xargs --no-run-if-empty kill -KILL < "$one/cgroup.procs" 2> /dev/null || true
    done
    mounts | while read -r one; do umount --lazy "$one"; done
    cgroups | while read -r one; do rmdir "$one" 2> /dev/null || { sleep 1; rmdir "$one" 2> /dev/null; } || true; done
    ! ip link show "$bridge" > /dev/null 2>&1 || ip link delete "$bridge"
    rm -f /var/lib/cni/results/changewindow-live-*
    find /var/log/containers -type l -lname "$scratch/*" -delete 2> /dev/null || true
    find "$scratch" -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf {} +
}

# What a run that was killed left behind.
take_down_left() {
    local one
    [ -e "$scratch/pids" ] || return 0
    while read -r one; do
        ! grep --quiet --text "$scratch" "/proc/$one/cmdline" 2> /dev/null || parts=("$one" "${parts[@]}")
    done < "$scratch/pids"
    stop_all
    clean_up
    parts=()
}

finish() {
    local status=$?
    trap - EXIT
    trap '' INT TERM
    [ -z "$driver" ] || kill "$driver" 2> /dev/null || true
    stop_all
    clean_up
    say "Everything is down; exit $status"
    exit "$status"
}

[ "$#" -gt 0 ] || set -- "$root/.venv/bin/python" -m pytest "$root/tests/live" \
    "$root/tests/steps/test_every_step.py" -k "cluster or kubernetes"
take_down_left
[ -z "$(cgroups)" ] || { echo "A kubelet runs on this machine already; two would get into each other's way" >&2; exit 1; }
cd "$root"
mkdir -p "$scratch"/{log,pki,cni}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_packages > "$scratch/log/apt" 2>&1
build_all
read -r etcd_port peer_port api_port manager_port scheduler_port kubelet_port < <(python3 -c '
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
print(*(one.getsockname()[1] for one in taken))')
make_keys
start_control_plane
start_node > "$scratch/log/images"
say "The cluster is up: Kubernetes $version at https://127.0.0.1:$api_port"
CHANGEWINDOW_KUBECONFIG=$scratch/admin.kubeconfig PYTHONPATH="$root/include" AIRFLOW_HOME="$root/.demo/unit" "$@" &
driver=$!
wait "$driver"
say "The command succeeded"
