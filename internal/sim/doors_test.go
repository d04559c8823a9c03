package sim

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"croft"
	"croft/internal/audit"
	"croft/internal/chain"
	"croft/internal/node"
	"croft/internal/study"
)

// TestDoors: another program on the machine that speaks consensus is no peer,
// whatever it knows of the network; and a folder is read by an audit only when its
// node has stopped, without starting it.
func TestDoors(t *testing.T) {
	n, err := Found(t.TempDir(), "test", time.Now(), "Ada", "Ben")
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context(), slog.New(slog.DiscardHandler), func(croft.MemberID, study.Event) {}); err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	if err := n.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	ada := n.Members[0]

	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	stranger, err := chain.Open(chain.Config{Dir: t.TempDir(), Genesis: n.Genesis, NodeKey: key, ValidatorKey: key, Timing: chain.LAN})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	addr, closed := doorbell(t, ada.Node.Chain.(*chain.Node).P2PAddr())
	if err := stranger.Connect(ada.Member.Node, addr); err != nil {
		t.Fatal(err)
	}
	for knocked := 0; knocked < 3; {
		select {
		case said := <-closed:
			if knocked++; said == 0 {
				t.Error("the door did not answer: who comes in was never asked")
			}
		case <-time.After(20 * time.Millisecond):
		}
		if peers := ada.Node.Chain.Status().Peers; peers > 1 { // Ben is one
			t.Fatalf("a stranger was let in: %d peers", peers)
		}
	}
	if s := stranger.Status(); s.Height > 0 {
		t.Errorf("a stranger got blocks: %+v", s)
	}

	if _, _, err := node.Stopped(ada.Dir); !errors.Is(err, croft.ErrRunning) {
		t.Errorf("the folder of a running node: %v", err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	stored, release, err := node.Stopped(ada.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := audit.VerifyNode(t.Context(), stored, audit.Options{}); err != nil || report.Stored.Values == 0 {
		t.Errorf("%v: %+v", err, report)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

// doorbell passes connections on to addr, and says of each that ended what addr has
// said in it, in bytes.
func doorbell(t *testing.T, addr string) (string, <-chan int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	closed := make(chan int64, 1000)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				go func() {
					_, _ = io.Copy(out, in)
					out.Close()
				}()
				said, _ := io.Copy(in, out)
				closed <- said
			}()
		}
	}()
	return l.Addr().String(), closed
}
