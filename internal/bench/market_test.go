package bench

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"croft"
)

// A short run: it counts what it says, and the ledger is not touched.
func TestMarketBench(t *testing.T) {
	dir := t.TempDir()
	if kind, err := fileSystem(dir); err != nil || kind == "tmpfs" {
		t.Skip("no disk here: ", kind, err)
	}
	r, err := Market(t.Context(), MarketOptions{Dir: dir, Time: 50 * time.Millisecond, Channels: 20}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.Reads != 0 || r.Writes != 0 || len(r.Calls) != 3 || r.Calls[0].P50 == 0 || r.Calls[0].Sync == 0 || r.Channels != 20 {
		t.Fatalf("%+v", r)
	}
	var out bytes.Buffer
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &out)
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Fatal("left behind: ", left)
	}
}

func TestMarketBenchWantsADisk(t *testing.T) {
	const memory = "/dev/shm"
	if kind, err := fileSystem(memory); err != nil || kind != "tmpfs" {
		t.Skip("no tmpfs here")
	}
	if _, err := Market(t.Context(), MarketOptions{Dir: memory}, func(string) {}); !errors.Is(err, croft.ErrUsage) {
		t.Fatal(err)
	}
}
