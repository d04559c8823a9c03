package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"croft"
	"croft/internal/chain"
)

// Client calls a node on the same machine. Each method is one call; its failure
// is the node's own (a *Failure), one of Dial's, or the cause of ctx's end. Methods may be
// called concurrently.
type Client struct {
	dir  string
	http *http.Client
}

// At returns the client of the node in dir, which need not run yet.
func At(dir string) *Client {
	c := &Client{dir: dir}
	c.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) }}}
	return c
}

// Dial finds the node that runs in dir. It fails with croft.ErrNodeDown, with
// croft.ErrNoNode where no node was made, or with croft.ErrFolder.
func Dial(dir string) (*Client, error) {
	c := At(dir)
	conn, err := c.dial(context.Background())
	if err != nil {
		return nil, err
	}
	return c, conn.Close()
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	path, err := socketPath(c.dir)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, croft.E(croft.ErrFolder, c.dir, "it belongs to another user")
	} else if err != nil {
		if _, err := os.Lstat(filepath.Join(c.dir, "keys")); errors.Is(err, fs.ErrNotExist) {
			return nil, croft.E(croft.ErrNoNode, c.dir)
		}
		return nil, croft.E(croft.ErrNodeDown, c.dir)
	}
	return conn, nil
}

// Status says where the node and its network stand.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, "status")
}

// Members lists the network's members in order of admission, revoked ones too.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	return ask[[]Member](ctx, c, "members")
}

// Peers lists the other members' nodes.
func (c *Client) Peers(ctx context.Context) ([]Peer, error) {
	return ask[[]Peer](ctx, c, "peers")
}

// Datasets lists the owner's datasets, oldest first.
func (c *Client) Datasets(ctx context.Context) ([]Dataset, error) {
	return ask[[]Dataset](ctx, c, "data")
}

// Prepare reads a file and says what registering it would put on the ledger.
func (c *Client) Prepare(ctx context.Context, add Add) (Prepared, error) {
	return tell[Prepared](ctx, c, "data/prepare", add)
}

// Add registers a file that was prepared: add.Tx is the signed registration.
func (c *Client) Add(ctx context.Context, add Add) (Submitted, error) {
	return tell[Submitted](ctx, c, "data", add)
}

// Studies lists all studies, oldest first.
func (c *Client) Studies(ctx context.Context) ([]Summary, error) {
	return ask[[]Summary](ctx, c, "studies")
}

// Study returns the study with this id, beginning of an id, or name, and makes
// sure that its plan is the one that the hash on the ledger names.
func (c *Client) Study(ctx context.Context, ref string) (Study, error) {
	out, err := ask[Study](ctx, c, "studies/"+url.PathEscape(ref))
	if err == nil && out.Plan.PlanHash() != out.PlanHash {
		err = croft.E(croft.ErrDiffers, "the plan, from its hash on the ledger")
	}
	return out, err
}

// Check computes at this site what a proposed study would find. dataset may be
// empty: then the newest one that has the columns counts.
func (c *Client) Check(ctx context.Context, ref, dataset string) (Check, error) {
	return ask[Check](ctx, c, "studies/"+url.PathEscape(ref)+"/check?dataset="+url.QueryEscape(dataset))
}

// CheckDraft is Check for a study that nobody has proposed yet.
func (c *Client) CheckDraft(ctx context.Context, plan croft.Study, dataset string) (Check, error) {
	return tell[Check](ctx, c, "check", Draft{croft.Encode(plan), dataset})
}

// Preflight returns what looks wrong in this node's own rows beside those of the other
// sites, by a finished preflight.
func (c *Client) Preflight(ctx context.Context, ref string) (Preflight, error) {
	return ask[Preflight](ctx, c, "studies/"+url.PathEscape(ref)+"/preflight")
}

// Result returns what a finished study says.
func (c *Client) Result(ctx context.Context, ref string) (Result, error) {
	return ask[Result](ctx, c, "studies/"+url.PathEscape(ref)+"/result")
}

// Worth returns what a finished study was worth to this site, by its own rows.
func (c *Client) Worth(ctx context.Context, ref string) (Worth, error) {
	return ask[Worth](ctx, c, "studies/"+url.PathEscape(ref)+"/worth")
}

// Predict gives the rows of a file to a finished study's model.
func (c *Client) Predict(ctx context.Context, ref string, p Predict) (Prediction, error) {
	return tell[Prediction](ctx, c, "studies/"+url.PathEscape(ref)+"/predict", p)
}

// Approve hands over a signed approval: the node keeps it, obeys it, and sends it.
func (c *Client) Approve(ctx context.Context, tx []byte) (Submitted, error) {
	return tell[Submitted](ctx, c, "approvals", Tx{tx})
}

// Submit hands over a signed vote, invite, proposal, refusal or withdrawal, and returns
// when the ledger has it.
func (c *Client) Submit(ctx context.Context, tx []byte) (Submitted, error) {
	return tell[Submitted](ctx, c, "tx", Tx{tx})
}

// Pause keeps the node out of the rounds of studies until a time, or, if that is
// zero, until Resume.
func (c *Client) Pause(ctx context.Context, until time.Time) (*Rest, error) {
	return tell[*Rest](ctx, c, "pause", Pause{until})
}

// Resume ends a pause; what it returns are quiet hours that go on, or nil.
func (c *Client) Resume(ctx context.Context) (*Rest, error) {
	return tell[*Rest](ctx, c, "resume", struct{}{})
}

// Down stops the node.
func (c *Client) Down(ctx context.Context) error { return c.order(ctx, "down", struct{}{}) }

// Events follows what happens at the node, from the oldest event that it
// remembers, until ctx ends or the node goes. Where nothing has happened for a
// while it yields an event without a sequence number, so that the caller can look
// up and around.
func (c *Client) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		since, after := int64(0), uint64(0)
		for {
			feed, err := ask[Feed](ctx, c, fmt.Sprintf("events?since=%d&after=%d", since, after))
			if err != nil {
				yield(Event{}, err)
				return
			}
			since = feed.Since
			if len(feed.Events) == 0 && !yield(Event{}, nil) {
				return
			}
			for _, e := range feed.Events {
				if after = e.Seq; !yield(e, nil) {
					return
				}
			}
		}
	}
}

// maxExport bounds one block of an export: two of CometBFT's largest.
const maxExport = 32 << 20

// Blocks streams all of the ledger's blocks.
func (c *Client) Blocks(ctx context.Context) iter.Seq2[chain.BlockData, error] {
	return func(yield func(chain.BlockData, error) bool) {
		answer, err := c.do(ctx, http.MethodGet, "blocks", nil)
		if err != nil {
			yield(chain.BlockData{}, err)
			return
		}
		defer answer.Close()
		for src := bufio.NewReader(answer); ; {
			block, err := readBlock(src)
			if err != nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if err == io.EOF || !yield(block, err) || err != nil {
				return
			}
		}
	}
}

// readBlock reads what Services.blocks writes; io.EOF after the last block.
func readBlock(r io.Reader) (b chain.BlockData, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err == io.EOF {
		return b, io.EOF
	} else if err != nil {
		return b, croft.E(croft.ErrEncoding, "list of blocks", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxExport {
		return b, croft.E(croft.ErrTooLarge, size, maxExport)
	}
	var data bytes.Buffer // grows with what arrives, not with what was promised
	if _, err := io.CopyN(&data, r, int64(size)); err != nil {
		return b, croft.E(croft.ErrEncoding, "list of blocks", err)
	}
	err = croft.Decode(data.Bytes(), &b)
	return b, err
}

// ask makes a call without a body.
func ask[Answer any](ctx context.Context, c *Client, path string) (Answer, error) {
	return call[Answer](ctx, c, http.MethodGet, path, nil)
}

// tell makes a call with one.
func tell[Answer any](ctx context.Context, c *Client, path string, body any) (Answer, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return *new(Answer), err
	}
	return call[Answer](ctx, c, http.MethodPost, path, data)
}

// order makes a call whose answer says no more than that it was done.
func (c *Client) order(ctx context.Context, path string, body any) error {
	_, err := tell[struct{}](ctx, c, path, body)
	return err
}

func call[Answer any](ctx context.Context, c *Client, method, path string, body []byte) (out Answer, err error) {
	answer, err := c.do(ctx, method, path, body)
	if err != nil {
		return out, err
	}
	defer answer.Close()
	data, err := io.ReadAll(answer)
	if err != nil {
		return out, c.trouble(ctx, err)
	}
	if err := json.Unmarshal(data, &out); err != nil { // by a node of another version
		return out, croft.E(croft.ErrEncoding, "answer of the node", err)
	}
	return out, nil
}

// maxFailure bounds an error object.
const maxFailure = 64 << 10

// do makes a call; what it returns the caller must close.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://croft/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.trouble(ctx, err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	f := new(Failure)
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxFailure)).Decode(f); err != nil {
		return nil, croft.E(croft.ErrInternal, "the node answered "+answer.Status)
	}
	return nil, f.restore()
}

// trouble says why there is no whole answer: the caller stopped waiting, the node is not
// there, or it went away.
func (c *Client) trouble(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, dialled := errors.AsType[*croft.Error](err); dialled {
		return e
	}
	return croft.E(croft.ErrNodeDown, c.dir)
}

// Quote writes a path so that a shell takes it as one word: advice is copied.
func Quote(path string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || r == filepath.Separator || strings.ContainsRune("/._-+:,@%=", r)
	}
	if path != "" && !strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
