#!/usr/bin/env bash
# Three clinics, three machines, seven commands: three at the first, two at each
# other, from empty folders to the result of a study of heart disease. Then a fourth
# joins, and nobody else's keys or files change.
#
# The machines are network namespaces on one wire: each has its own address, its own
# user, and a folder that no other user can read. Each hospital's file is in its own.
#
#   sudo hack/three-clinics.sh [DIR]
#
# DIR has the four processed.*.data files of doi:10.24432/C52P4X (CC BY 4.0), by
# default ../shared/data/heart. CROFT names a program that was built already. Linux.
set -euo pipefail
cd "$(dirname "$0")/.."
heart=$(realpath "${1:-../shared/data/heart}")
[ -r "$heart/processed.va.data" ] || { echo "no heart data in $heart: fetch the four processed.*.data files from https://archive.ics.uci.edu/dataset/45/heart+disease" >&2; exit 3; }
[ "$(id -u)" = 0 ] && ip netns list >/dev/null || { echo "network namespaces need Linux, root and iproute2" >&2; exit 3; }

place=$(mktemp -d); chmod 711 "$place"
croft=$place/program
if [ -n "${CROFT:-}" ]; then install -m 755 "$CROFT" "$croft"; else CGO_ENABLED=0 go build -o "$croft" ./cmd/croft; fi
mark=cl$$ # of this run's namespaces
clinics=(a b c d)
finish() {
  for x in "${clinics[@]}"; do quietly "$x" down; done
  for n in wire "${clinics[@]}"; do ip netns del "$mark-$n" 2>/dev/null || true; done
  rm -rf "$place"
}
trap finish EXIT

# The wire: a switch in a namespace of its own, and a line from it to each machine.
ip netns add "$mark-wire"
ip -n "$mark-wire" link add switch up type bridge
for i in "${!clinics[@]}"; do
  x=${clinics[$i]}
  ip netns add "$mark-$x"
  ip -n "$mark-$x" link add eth0 type veth peer name "to-$x" netns "$mark-wire"
  ip -n "$mark-wire" link set "to-$x" master switch up
  ip -n "$mark-$x" addr add "10.77.0.$((i + 1))/24" dev eth0
  ip -n "$mark-$x" link set eth0 up
  ip -n "$mark-$x" link set lo up
  mkdir -m 700 "$place/$x"
done

# run CLINIC ARGS… runs croft at a clinic: on its machine, as its user, in its folder.
run() {
  local x=$1; shift
  (cd "$place/$x" && exec ip netns exec "$mark-$x" setpriv --reuid "$(uid "$x")" --regid "$(uid "$x")" --clear-groups \
    env -i PATH="$PATH" CROFT_DIR="$place/$x/croft" "$croft" "$@")
}
uid() { echo $((65100 + $(printf %d "'$1"))); }
quietly() { run "$@" >/dev/null 2>&1 || true; }

# type CLINIC ARGS… is run, and counts: a person types this.
typed=$place/typed
type() {
  local shown="${*:2}"
  printf '%s\n' "$1" >>"$typed"
  printf '\n\e[1m%s$ croft %s\e[0m   (%ss)\n' "$1" "${shown//croft1*([a-z0-9])/CODE}" "$SECONDS" >&2
  run "$@" --yes
}
shopt -s extglob

# What each hospital has: its own file, exported with a header, at its own machine.
hospital() {
  awk -F, 'BEGIN { print "patient,age,sex,pain,pressure,rate,angina,depression,disease" }
    { for (i = 1; i <= 10; i++) if ($i != "?") $i += 0
      print NR "," $1 "," $2 "," $3 "," $4 "," $8 "," $9 "," $10 "," ($14 > 0 ? "yes" : "no") }' "$heart/processed.$2.data" >"$place/$1/heart.csv"
}
hospital a cleveland; hospital b hungarian; hospital c va; hospital d switzerland
# Not sex: Long Beach has six women, and its node would say nothing about so few.
cat >"$place/a/heart.toml" <<'TOML'
name = "heart"
purpose = "who has a narrowed coronary artery"
legal_basis = "published research data"
contact = "a@example.org"
expires = 2099-12-31

[sites]
members = ["Cleveland", "Budapest", "Long Beach"]

[people]
unit = "patient"

[model]
goal = "inference"
label = "disease"
positive = "yes"

[[column]]
name = "age"
kind = "number"
unit = "years"
low = 0
high = 120

[[column]]
name = "pressure"
kind = "number"
unit = "mmHg"
low = 0
high = 300
missing_codes = ["?"]
missing = "drop"

[[column]]
name = "rate"
kind = "number"
unit = "beats/min"
low = 0
high = 250
missing_codes = ["?"]
missing = "drop"

[[column]]
name = "angina"
kind = "number"
low = 0
high = 1
missing_codes = ["?"]
missing = "drop"

[[column]]
name = "depression"
kind = "number"
unit = "mm"
low = -10
high = 10
missing_codes = ["?"]
missing = "drop"

[[column]]
name = "disease"
kind = "category"
levels = ["no", "yes"]
TOML
for x in "${clinics[@]}"; do chown -R "$(uid "$x"):$(uid "$x")" "$place/$x"; done

echo "\$ ip netns list"
ip netns list | grep "^$mark-"

SECONDS=0
type a up --name Cleveland --network "three hospitals" --listen 10.77.0.1:7421 --detach
code=$(type a invite create --uses 2 --auto | tee >(cat >&2) | grep -o 'croft1[a-z0-9]*')
type b join "$code" --name Budapest --listen 10.77.0.2:7421 --detach --welcome &
second=$!
type c join "$code" --name "Long Beach" --listen 10.77.0.3:7421 --detach --welcome
wait $second
type a study propose heart.toml --data heart.csv --wait | tee "$place/result" &
first=$!
until grep -q '✓ Approved' "$place/result" 2>/dev/null; do kill -0 $first; sleep 0.2; done
sleep 1 # they telephone
type b study approve heart --data heart.csv
type c study approve heart --data heart.csv
wait $first
took=$SECONDS
grep -q '^depression .*<0.001' "$place/result"
printf '\n%s commands (%s), %s s from the first to the result\n' "$(wc -l <"$typed")" "$(sort "$typed" | uniq -c | awk '{printf "%s%s at %s", s, $1, $2; s=", "}')" "$took"
[ "$(wc -l <"$typed")" = 7 ] && [ "$took" -le "${AT_MOST:-120}" ] || { echo "that is not seven commands in ${AT_MOST:-120} s" >&2; exit 1; }

# A fourth comes: two of the three say yes.
files() { (cd "$place" && find a b c \( -path '*/keys/*' -o -name 'genesis.cbor' -o -name 'join.cbor' -o -name 'heart.csv' \) -type f -exec sha256sum {} + | sort -k2); }
files >"$place/before"
code=$(type a invite create --auto | grep -o 'croft1[a-z0-9]*')
type d join "$code" --name Zurich --listen 10.77.0.4:7421 --detach 2> >(tee "$place/joining" >&2) &
fourth=$!
until grep -q 'Waiting: 1 of 2 votes' "$place/joining" 2>/dev/null; do kill -0 $fourth; sleep 0.2; done
sleep 1 # they compare the digits
type b member approve Zurich
wait $fourth
type d data add heart.csv --unit patient
type d audit verify
files | diff "$place/before" - && printf '\nNot a byte changed in %s files of the other three: keys, genesis, data.\n' "$(wc -l <"$place/before")"
