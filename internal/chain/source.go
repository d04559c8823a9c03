package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cometbft/cometbft/light/provider"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"croft"
	"croft/internal/ledger"
)

// Fulls reaches the full members' nodes for a light one. Its methods may be called
// concurrently.
type Fulls interface {
	// Full returns the full members whose nodes can be asked now.
	Full() []croft.Member
	// Ask carries a question to a member's node and returns what its Node.Answer
	// does, of at most so many bytes.
	Ask(ctx context.Context, to croft.Member, question []byte, most int) ([]byte, error)
	// Hear calls told with what Node.Tell of a member's node tells, until ctx ends or
	// the connection breaks.
	Hear(ctx context.Context, to croft.Member, told func(height int64)) error
}

// source is a full member's node as a light one sees it. It gives headers to
// CometBFT's light client.
type source struct {
	l      *Light
	member croft.Member
	told   bool // it told of the block that is verified

	mu    sync.Mutex           // the light client may give up on a source and leave it behind
	lacks bool                 // a block that it was asked for
	gave  map[int64]croft.Hash // headers, by height
}

// said returns the hash of the header that the member gave for a height, and whether
// it lacks a block.
func (s *source) said(height int64) (hash croft.Hash, lacks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gave[height], s.lacks
}

// askTime bounds one question; a transaction may wait for a block as well.
const askTime = 10 * time.Second

// ask sends a question and decodes the answer into reply, unless that is nil.
func (l *Light) ask(ctx context.Context, to croft.Member, q question, reply any) ([]byte, error) {
	limit := askTime
	if q.Kind == askTx {
		limit += placeWait + blockWait
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	raw, err := l.cfg.Fulls.Ask(ctx, to, croft.Encode(q), maxReply)
	if err == nil && reply != nil {
		if wrong := croft.Decode(raw, reply); wrong != nil {
			err = l.doubt(to, wrong)
		}
	}
	return raw, err
}

// ChainID implements provider.Provider.
func (s *source) ChainID() string { return s.l.cfg.Genesis.Scope().Chain }

// LightBlock implements provider.Provider. What a member does not give is missing, for
// the light client, and what is no header of this chain is bad: it then asks another.
func (s *source) LightBlock(ctx context.Context, height int64) (*types.LightBlock, error) {
	raw, err := s.l.ask(ctx, s.member, question{Kind: askHeader, Height: height}, nil)
	switch {
	case errors.Is(err, croft.ErrNotFound) && s.told:
		s.l.doubt(s.member, fmt.Errorf("it tells of block %d and does not have it", height))
		return nil, provider.ErrLightBlockNotFound
	case errors.Is(err, croft.ErrNotFound):
		s.mu.Lock()
		s.lacks = true // if there is such a block it is behind
		s.mu.Unlock()
		return nil, provider.ErrLightBlockNotFound
	case err != nil:
		s.l.silent(s.member, err)
		return nil, provider.ErrNoResponse
	}
	lb, err := openHeader(raw)
	if err == nil {
		err = lb.ValidateBasic(s.ChainID())
	}
	if err == nil && lb.Height != height {
		err = fmt.Errorf("block %d for block %d", lb.Height, height)
	}
	if err != nil {
		return nil, provider.ErrBadLightBlock{Reason: s.l.doubt(s.member, err)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gave[height] = croft.Hash(lb.Hash())
	return lb, nil
}

// openHeader reads what signedHeader writes.
func openHeader(raw []byte) (*types.LightBlock, error) {
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(raw); err != nil {
		return nil, err
	}
	lb, err := types.LightBlockFromProto(&pb)
	if err != nil {
		return nil, err
	}
	if lb.ValidatorSet == nil || lb.SignedHeader == nil {
		return nil, errors.New("it is not whole")
	}
	for _, v := range lb.ValidatorSet.Validators {
		v.ProposerPriority = 0 // whose turn it is nobody signs: it must not tell two honest nodes apart
	}
	return lb, nil
}

// ReportEvidence implements provider.Provider. No node takes evidence of a fork: it is
// people who have to know, and the log names who signed both.
func (s *source) ReportEvidence(context.Context, types.Evidence) error { return nil }

// String names the member in CometBFT's log.
func (s *source) String() string { return s.member.Name }

// records asks a member for records of a state, and believes them as far as they are
// proved against the state's hash.
func (l *Light) records(ctx context.Context, from croft.Member, height int64, root croft.Hash, keys []string) (out []ledger.Proof, err error) {
	for len(out) < len(keys) {
		var batch []proved
		rest := keys[len(out):min(len(keys), len(out)+maxKeys)]
		values, hashes := l.held(rest)
		if _, err := l.ask(ctx, from, question{Kind: askState, Height: height, Keys: rest, Held: hashes}, &batch); err != nil {
			return nil, err
		}
		if len(batch) == 0 || len(batch) > len(rest) {
			return nil, l.doubt(from, errors.New("other records than were asked for"))
		}
		for i, r := range batch {
			if r.Held {
				r.Value = values[i]
			}
			p := ledger.Proof{Height: height, Root: root, Key: rest[i], Value: r.Value, Bytes: r.Proof}
			if err := check(&p); err != nil {
				return nil, l.doubt(from, err)
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// held returns the values that this node holds of records, with their hashes.
func (l *Light) held(keys []string) (values [][]byte, hashes []croft.Hash) {
	values, hashes = make([][]byte, len(keys)), make([]croft.Hash, len(keys))
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, key := range keys {
		if r := l.kept[key]; r != nil && r.value != nil {
			values[i], hashes[i] = r.value, croft.Sum(r.value)
		}
	}
	return values, hashes
}

// check verifies a proof that came over the wire, where absence is no value, and makes
// it whole.
func check(p *ledger.Proof) (err error) {
	if len(p.Value) == 0 {
		p.Value = nil
	}
	if p.Bytes, err = ledger.Refit(p.Bytes, p.Value); err != nil {
		return err
	}
	return p.Verify()
}

// span asks a member for all records of a prefix from a key on, as many as it gives at
// once. It returns where to go on, also after an error; "" at the end.
func (l *Light) span(ctx context.Context, from croft.Member, height int64, root croft.Hash, prefix, key string, yield func(key string, value []byte)) (next string, err error) {
	var batch []proved
	if _, err := l.ask(ctx, from, question{Kind: askRange, Height: height, Keys: []string{key}, Prefix: prefix}, &batch); err != nil {
		return key, err
	}
	next = key
	err = ledger.Walk(prefix, key, func(key string) (p ledger.Proof, err error) {
		next = key
		if len(batch) == 0 {
			return p, errEnough
		}
		p = ledger.Proof{Height: height, Root: root, Key: key, Value: batch[0].Value, Bytes: batch[0].Proof}
		batch = batch[1:]
		return p, check(&p)
	}, func(_ ledger.Proof, key string, value []byte) error {
		if key == "" {
			next = ""
		} else {
			yield(key, slices.Clone(value))
		}
		return nil
	})
	if err == errEnough && next != key {
		return next, nil
	} else if err != nil || len(batch) > 0 {
		return next, l.doubt(from, errors.New("its list is not proved to be whole"))
	}
	return next, nil
}
