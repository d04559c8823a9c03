//go:build long

package sim

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"croft/internal/api"
)

// A disk is a file system of its own that can lose its power. Ordinary mounts are kind
// to programs that forget to sync: these are not, so that what was not made durable is gone.
type disk struct{ kind, options, image, dir string }

var disks = []disk{
	{kind: "ext4", options: "loop,noauto_da_alloc,commit=60"},
	{kind: "xfs", options: "loop,nouuid"},
}

// format makes the disk's file system and mounts it at a new folder dir. Only root may,
// so elsewhere the test is skipped.
func (d disk) format(t *testing.T, dir string) *disk {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.dir, d.image = dir, filepath.Join(t.TempDir(), "image")
	f, err := os.Create(d.image)
	if err == nil {
		err = errors.Join(f.Truncate(512<<20), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs."+d.kind, "-q", d.image).CombinedOutput(); err != nil {
		t.Skipf("no %s here: %v: %s", d.kind, err, out)
	}
	if err := d.on(); err != nil {
		t.Skipf("a disk of its own cannot be mounted here (only root may): %v", err)
	}
	t.Cleanup(func() {
		if err := d.off(); err != nil {
			t.Error(err)
		}
	})
	_ = os.Remove(filepath.Join(dir, "lost+found")) // a node wants an empty folder
	return &d
}

// on mounts the disk, each time as a copy of what was on it: a mount namespace that
// somebody else made meanwhile may still hold the one that was cut off.
func (d *disk) on() error {
	copied := d.image + "+"
	if out, err := exec.Command("cp", "--sparse=always", d.image, copied).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", d.image, err, out)
	}
	if err := os.Remove(d.image); err != nil {
		return err
	}
	d.image = copied
	if out, err := exec.Command("mount", "-t", d.kind, "-o", d.options, d.image, d.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("mount %s: %w: %s", d.dir, err, out)
	}
	return nil
}

// off unmounts the disk when the last process has let go of it.
func (d *disk) off() (err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = unix.Unmount(d.dir, 0); !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return err
}

// cut takes the disk its power: from here on it takes nothing more, and what no sync
// has brought there by now is gone (FS_IOC_SHUTDOWN without a flush of the journal, as
// the tests of Linux' own file systems do it).
func (d *disk) cut() error {
	const shutdown, noFlush = 0x8004587d, 2
	fd, err := unix.Open(d.dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlSetPointerInt(fd, shutdown, noFlush), unix.Close(fd))
}

// TestPowerCuts takes the power of one machine after the other, or of several at once,
// at random moments of studies and of ordinary traffic, and gives it back. CROFT_CUTS
// is how often; 20 if not said.
func TestPowerCuts(t *testing.T) {
	cuts, err := strconv.Atoi(cmp.Or(os.Getenv("CROFT_CUTS"), "20"))
	if err != nil || cuts < 1 {
		t.Fatalf("CROFT_CUTS=%s is no number of power cuts", os.Getenv("CROFT_CUTS"))
	}
	for _, d := range disks {
		t.Run(d.kind, func(t *testing.T) { powerCuts(t, d, cuts) })
	}
}

func powerCuts(t *testing.T, d disk, cuts int) {
	rng := seeded(t)
	dir := shortDir(t)
	var machines []*disk
	for _, name := range townspeople {
		machines = append(machines, d.format(t, filepath.Join(dir, name)))
	}
	n := newTownIn(t, dir)
	want := n.reference()
	keys := n.keys()
	busy := &traffic{}
	var delays []time.Duration // from the power's return to an answer
	studies := 0
	for done := 0; done < cuts; studies++ {
		id := n.propose(fmt.Sprint("power cuts ", studies))
		n.approve(id)
		for range 3 { // of each study
			now := n.traffic(rng.IntN(len(machines)), rng.IntN(len(machines)))
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
			victims := rng.Perm(len(machines))[:1+rng.IntN(len(machines))]
			var off sync.WaitGroup
			for _, i := range victims {
				off.Go(func() {
					if err := machines[i].cut(); err != nil {
						t.Error(err)
					}
					n.residents[i].end(syscall.SIGKILL)
				})
			}
			off.Wait()
			now.stop()
			busy.acknowledged = append(busy.acknowledged, now.acknowledged...)
			time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
			var mu sync.Mutex
			var back sync.WaitGroup
			for _, i := range victims {
				back.Go(func() {
					if err := errors.Join(machines[i].off(), machines[i].on()); err != nil {
						t.Error(err)
						return
					}
					begun := time.Now()
					n.residents[i].start()
					mu.Lock()
					defer mu.Unlock()
					delays = append(delays, time.Since(begun))
				})
			}
			back.Wait()
			if done++; t.Failed() {
				return
			}
			for _, i := range victims {
				n.residents[i].until(fmt.Sprint("it runs after cut ", done), func(c *api.Client) bool { _, err := c.Status(n.ctx); return err == nil })
			}
		}
		if got := n.result(id); got != want {
			t.Errorf("study %d: another result than undisturbed:\n%s\n%s", studies, got, want)
		}
	}
	n.agree(busy)
	n.inventory()
	if now := n.keys(); !slices.Equal(now, keys) {
		t.Errorf("other keys than before:\n%s\n%s", now, keys)
	}
	for _, p := range n.residents {
		if log, err := os.ReadFile(filepath.Join(p.files, "log")); err != nil || bytes.Contains(log, []byte("onflicting vote")) {
			t.Errorf("%s signed twice: %v", p.name, err)
		}
	}
	slices.Sort(delays)
	t.Logf("%s: %d power cuts of %d machines in %d studies, each with the same model; %d acknowledged transactions; from power to an answer: p50 %v, max %v",
		d.kind, cuts, len(delays), studies, len(busy.acknowledged), delays[len(delays)/2].Round(time.Millisecond), delays[len(delays)-1].Round(time.Millisecond))
}

// keys is what lies in the members' folders of keys.
func (n *town) keys() (all []string) {
	n.Helper()
	for _, p := range n.residents {
		home := os.DirFS(filepath.Join(p.dir, "keys"))
		err := fs.WalkDir(home, ".", func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				var raw []byte
				raw, err = fs.ReadFile(home, path)
				all = append(all, fmt.Sprintf("%s %s %x", p.name, path, sha256.Sum256(raw)))
			}
			return err
		})
		if err != nil {
			n.Fatal(err)
		}
	}
	return all
}
