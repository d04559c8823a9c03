package api

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"

	"croft/internal/energy"
	"croft/internal/ledger"
)

// metrics writes a few numbers in Prometheus' text format, version 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats). It names nobody.
func (s Services) metrics(w http.ResponseWriter, r *http.Request) {
	status, err := s.status(r)
	if err != nil {
		http.Error(w, FailureOf(err).Message, http.StatusServiceUnavailable)
		return
	}
	standing := map[string]int{}
	for _, st := range status.Studies {
		standing[st.Status]++
	}
	var out bytes.Buffer
	metric := func(name, kind, help string, value float64) {
		fmt.Fprintf(&out, "# HELP croft_%s %s\n# TYPE croft_%s %s\ncroft_%s %s\n", name, help, name, kind, name, strconv.FormatFloat(value, 'f', -1, 64))
	}
	metric("height", "gauge", "Height of the ledger.", float64(status.Height))
	metric("last_block_timestamp_seconds", "gauge", "Time of the last block. On an idle ledger that is long ago.", float64(status.BlockTime.Unix()))
	metric("moves", "gauge", "1 if enough orderers are up for the ledger to move.", flag(status.Moves))
	metric("catching_up", "gauge", "1 while old blocks are fetched.", flag(status.CatchingUp))
	metric("members", "gauge", "Members of the network.", float64(status.Members))
	metric("peers", "gauge", "Connected nodes of other members.", float64(status.Connected))
	fmt.Fprintf(&out, "# HELP croft_studies Studies that have not ended.\n# TYPE croft_studies gauge\n")
	for _, state := range []ledger.Status{ledger.Proposed, ledger.Running, ledger.Paused} {
		fmt.Fprintf(&out, "croft_studies{status=%q} %d\n", state, standing[state.String()])
	}
	metric("waiting", "gauge", "Studies that wait for an answer of this member, and votes.", float64(len(status.Waiting)+len(status.Votes)))
	if s.Sent != nil {
		metric("sent_bytes_total", "counter", "Bytes sent to other nodes since the node started.", float64(s.Sent()))
	}
	if status.Relay != nil {
		metric("relay_circuits", "gauge", "Connections between others that this node carries.", float64(status.Relay.Circuits))
		metric("relay_bytes_total", "counter", "Bytes carried for others since the node started.", float64(status.Relay.Bytes))
	}
	metric("disk_free_bytes", "gauge", "Free bytes on the disk of the node's folder.", float64(Look(s.Dir, s.lastBackup()).Free))
	metric("resident_memory_bytes", "gauge", "Memory of the process; where the system does not say, what it has asked for.", float64(resident()))
	metric("cpu_seconds_total", "counter", "Processor time of the process; where the system does not say, the time it has run.", energy.Process().Seconds())
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(out.Bytes())
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// resident returns the memory of this process, in bytes.
func resident() uint64 {
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil { // pages: all, resident, …
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			if pages, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
				return pages * uint64(os.Getpagesize())
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}
