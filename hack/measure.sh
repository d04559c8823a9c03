#!/usr/bin/env bash
# What a node costs: memory, processor, disk and bytes on the wire, at rest and for
# one study, by role. Its tables are what docs/requirements.md says.
#
# Each node is a process on a machine of its own (a network namespace), so the bytes
# are all that crosses its network card, with all headers. The pace of consensus is
# the usual one. The study is that of croft demo, with its data: four sites of the
# first four members, or three of three.
#
#   sudo hack/measure.sh [SECONDS [MEMBERS [light|relay]]]
#
# SECONDS is how long the nodes are watched at rest, 600 if not said; an hour is
# extrapolated from it. MEMBERS is 3 to 5: with fewer than four the first one orders
# blocks and the others check. With light the last one is a light member. With relay it
# has a line to the first one only and does not listen: the first one relays what it and
# the others have to say to each other. CROFT names a program that was built already. Linux.
set -euo pipefail
cd "$(dirname "$0")/.."
rest=${1:-600} members=${2:-5} last=${3:-}
[ "$(id -u)" = 0 ] && ip netns list >/dev/null || { echo "network namespaces need Linux, root and iproute2" >&2; exit 3; }

place=$(mktemp -d)
croft=$place/croft
if [ -n "${CROFT:-}" ]; then cp "$CROFT" "$croft"; else CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$croft" ./cmd/croft; fi
mark=cm$$ # of this run's namespaces
all=(harbour glen moor isle cooperative)
all=("${all[@]:0:members}")
sites=("${all[@]:0:$((members < 4 ? members : 4))}")
finish() {
  for x in "${all[@]}"; do run "$x" down >/dev/null 2>&1 || true; done
  for x in wire "${all[@]}"; do ip netns del "$mark-$x" 2>/dev/null || true; done
  rm -rf "$place"
}
trap finish EXIT

# run MEMBER ARGS… runs croft on a member's machine, in its folder.
run() { (cd "$place/$1" && exec ip netns exec "$mark-$1" env CROFT_DIR="$place/$1/node" "$croft" "${@:2}"); }

ip netns add "$mark-wire"
ip -n "$mark-wire" link add switch up type bridge
for i in "${!all[@]}"; do
  x=${all[$i]}
  ip netns add "$mark-$x"
  if [ "$last" = relay ] && [ "$i" = $((members - 1)) ]; then
    ip -n "$mark-$x" link add eth0 type veth peer name eth1 netns "$mark-harbour"
    ip -n "$mark-harbour" addr add 10.79.0.1/24 dev eth1
    ip -n "$mark-harbour" link set eth1 up
    ip -n "$mark-$x" addr add 10.79.0.2/24 dev eth0
  else
    ip -n "$mark-$x" link add eth0 type veth peer name "p$i" netns "$mark-wire"
    ip -n "$mark-wire" link set "p$i" master switch up
    ip -n "$mark-$x" addr add "10.78.0.$((i + 1))/24" dev eth0
  fi
  ip -n "$mark-$x" link set eth0 up
  ip -n "$mark-$x" link set lo up
  mkdir "$place/$x"
done

# The data of the demo, each part at its own machine.
"$croft" demo --quiet --dir "$place/demo" >/dev/null
for x in "${sites[@]}"; do cp "$place/demo/$x/lesions.csv" "$place/$x/"; done
rm -r "$place/demo"

# A network of all: the first founds it, the others join.
first=(--listen 10.78.0.1:7421) known=(--address 10.78.0.1:7421)
if [ "$last" = relay ]; then first=(--listen lan --relay) known+=(--address 10.79.0.1:7421); fi
run harbour up --quiet --network measured --name harbour --page none "${first[@]}" --detach >/dev/null
code=$(run harbour invite create --uses $((members - 1)) --auto "${known[@]}" --quiet | grep -o 'croft1[a-z0-9]*' || true)
for i in "${!all[@]}"; do
  if [ "$i" = 0 ]; then continue; fi
  x=${all[$i]}
  how=(--listen "10.78.0.$((i + 1)):7421")
  if [ "$i" = $((members - 1)) ]; then
    case $last in light) how+=(--light) ;; relay) how=(--listen none) ;; esac
  fi
  run "$x" join "$code" "${how[@]}" --yes --quiet --name "$x" --page none --detach --timeout 300s >/dev/null &
  joining=$!
  # Whoever is a member votes for whoever comes.
  while kill -0 $joining 2>/dev/null; do
    for y in "${all[@]:0:i}"; do run "$y" member approve "$x" --yes --quiet >/dev/null 2>&1 || true; done
  done
  wait $joining
done

# has MEMBER prints what its node has used so far: resident memory and its peak (kB),
# processor time (ticks), bytes received and sent, bytes of its folder.
has() {
  local pid stat; pid=$(ip netns pids "$mark-$1")
  stat=$(</proc/"$pid"/stat); stat=(${stat##*) })
  echo "$(awk '/^VmRSS/ { r = $2 } /^VmHWM/ { h = $2 } END { print r, h }' /proc/"$pid"/status)" $((stat[11] + stat[12])) \
    "$(ip netns exec "$mark-$1" awk '{ sum[FILENAME ~ /tx/] += $1 } END { print sum[0], sum[1] }' /sys/class/net/eth*/statistics/{rx,tx}_bytes)" "$(du -sk "$place/$1/node" | cut -f1)"
}
# look FILE writes down what all nodes have used.
look() { for x in "${all[@]}"; do echo "$x $(has "$x")"; done >"$place/$1"; }
# table FILE FILE SECONDS prints the differences, for an hour if SECONDS is not 0.
table() {
  printf '| node | memory, MB | peak, MB | CPU, s | received, kB | sent, kB | disk, kB |\n|---|---|---|---|---|---|---|\n'
  paste "$place/$1" "$place/$2" | awk -v s="$3" -v hz="$(getconf CLK_TCK)" '{ k = s ? 3600 / s : 1
    printf "| %s | %.0f | %.0f | %.1f | %.0f | %.0f | %.0f |\n", $1, $9 / 1024, $10 / 1024, ($11 - $4) / hz * k, ($12 - $5) / 1000 * k, ($13 - $6) / 1000 * k, ($14 - $7) * k }'
}

height() { run harbour status --json | grep -o '"height":[0-9]*' | head -1 | cut -d: -f2; }
orderers() { run harbour status --json | grep -o '"orderers":\[[^]]*' | grep -o '"id"' | wc -l; }
full=$members
if [ "$last" = light ]; then full=$((members - 1)); fi
expected=$((full < 4 ? 1 : full))
until [ "$(orderers)" = "$expected" ]; do sleep 1; done
for x in "${sites[@]}"; do run "$x" data add lesions.csv --unit row --releases 1000 --public --yes --quiet >/dev/null; done
sleep 80 # what follows joining dies down: a newcomer looks around for a minute

printf '%s members, %s order blocks; %s; %s\n' "$members" "$expected" "$("$croft" version | head -1)" "$(uname -srm)"
look start; from=$(height)
sleep "$rest"
look rested
printf '\nAt rest, an hour, extrapolated from %s s; blocks in that time: %s\n\n' "$rest" $(($(height) - from))
table start rested "$rest"

cat >"$place/harbour/lesions.toml" <<TOML
name = "lesions"
purpose = "which lesions are malignant"
legal_basis = "published research data"
contact = "a@example.org"
expires = 2099-12-31

[sites]
members = [$(printf '"%s", ' "${sites[@]}")]

[people]
unit = "row"

[model]
goal = "inference"
label = "diagnosis"
positive = "malignant"

$(while read -r name high; do printf '[[column]]\nname = "%s"\nkind = "number"\nlow = 0\nhigh = %s\n\n' "$name" "$high"; done <<COLUMNS
texture 50
smoothness 0.3
symmetry 0.5
fractal_dimension 0.2
texture_se 10
smoothness_se 0.1
symmetry_se 0.1
fractal_dimension_se 0.05
COLUMNS
)

[[column]]
name = "diagnosis"
kind = "category"
levels = ["benign", "malignant"]
TOML
look start; from=$(height)
SECONDS=0
run harbour study propose lesions.toml --yes --quiet >/dev/null
for x in "${sites[@]}"; do run "$x" study approve lesions --yes --quiet >/dev/null; done
run harbour study watch lesions --quiet >/dev/null
sleep 5 # the last blocks
took=$SECONDS
look studied
printf '\nOne study, from the proposal to the result: %s s, %s blocks, %s rounds\n\n' "$took" $(($(height) - from)) "$(run harbour study result lesions --json | grep -o '"rounds":[0-9]*' | cut -d: -f2)"
table start studied 0
