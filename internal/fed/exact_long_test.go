//go:build long

package fed

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The golden steps on other processors: 386 runs where amd64 does, arm64 under
// qemu's user mode if that is installed.
func TestOtherMachinesTakeTheSameSteps(t *testing.T) {
	for _, c := range []struct{ arch, emulator string }{{"386", ""}, {"arm64", "qemu-aarch64"}} {
		t.Run(c.arch, func(t *testing.T) {
			binary := filepath.Join(t.TempDir(), "fed.test")
			run := []string{binary, "-test.v", "-test.run=^TestGolden"}
			if c.emulator != "" {
				if _, err := exec.LookPath(c.emulator); err != nil {
					t.Skipf("not compared with %s: %v (Debian's package is qemu-user)", c.arch, err)
				}
				run = append([]string{c.emulator}, run...)
			}
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", binary, ".")
			build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+c.arch, "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := exec.CommandContext(t.Context(), run[0], run[1:]...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
