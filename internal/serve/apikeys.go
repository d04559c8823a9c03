package serve

import (
	"crypto/rand"
	"encoding/base32"
	"slices"
	"strings"
	"sync"
	"time"

	"croft"
)

// Docs keeps small named documents, durably when Put returns.
type Docs interface {
	Put(kind, name string, data []byte) error
	Get(kind, name string) ([]byte, error)
	Delete(kind, name string) error
	List(kind string) ([]string, error)
}

// APIKey lets a program on this machine call services. What is kept of its secret is
// a hash: the secret has 160 random bits, so that a slow one would add nothing.
type APIKey struct {
	ID       string        `cbor:"1,keyasint" json:"id"`
	Name     string        `cbor:"2,keyasint" json:"name"`
	Hash     croft.Hash    `cbor:"3,keyasint" json:"-"`
	Services []string      `cbor:"4,keyasint,omitempty" json:"services"` // that it may call, by the names in requests; none: all
	Remote   bool          `cbor:"5,keyasint,omitempty" json:"remote"`   // requests may leave this node
	Cap      croft.Credits `cbor:"6,keyasint,omitempty" json:"cap"`      // what it may spend in all; 0: only free calls
	Spent    croft.Credits `cbor:"7,keyasint,omitempty" json:"spent"`    // at most
	Created  int64         `cbor:"8,keyasint" json:"created"`            // Unix seconds
	Any      bool          `cbor:"9,keyasint,omitempty" json:"any"`      // a name that several providers have may go to any of them
}

const (
	apiKeyKind   = "apikey"
	apiKeyPrefix = "croft_"
	maxAPIKeys   = 256
)

// Keys are a node's API keys. Its methods may be called concurrently.
type Keys struct {
	docs Docs
	mu   sync.Mutex // guards what follows
	keys map[croft.Hash]*openKey
}

// openKey is a key with what it spends: at any moment the document says at least as
// much as was spent, so that a crash never gives some of it back.
type openKey struct {
	APIKey
	spent croft.Credits // with what calls in flight may cost
}

// OpenKeys reads a node's API keys.
func OpenKeys(docs Docs) (*Keys, error) {
	k := &Keys{docs: docs, keys: map[croft.Hash]*openKey{}}
	names, err := docs.List(apiKeyKind)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		raw, err := docs.Get(apiKeyKind, name)
		if err != nil {
			return nil, err
		}
		var key APIKey
		if err := croft.Decode(raw, &key); err != nil {
			return nil, err
		}
		k.keys[key.Hash] = &openKey{key, key.Spent}
	}
	return k, nil
}

// Create makes a key and returns its secret, which is nowhere else. It fails with
// croft.ErrConflict if the name is taken.
func (k *Keys) Create(key APIKey, now time.Time) (APIKey, string, error) {
	random := make([]byte, 20)
	rand.Read(random) // never fails
	secret := apiKeyPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(random))
	key.Hash, key.Created, key.Spent = croft.Sum([]byte(secret)), now.Unix(), 0
	key.ID = key.Hash.Short()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, other := range k.keys {
		if other.Name == key.Name {
			return key, "", croft.E(croft.ErrConflict, "there is an API key called "+key.Name, "choose another name, or revoke that one: croft apikey revoke")
		}
	}
	if len(k.keys) >= maxAPIKeys {
		return key, "", croft.E(croft.ErrConflict, "there are as many API keys as there can be", "revoke one: croft apikey revoke")
	}
	if err := k.docs.Put(apiKeyKind, key.ID, croft.Encode(key)); err != nil {
		return key, "", err
	}
	k.keys[key.Hash] = &openKey{key, 0}
	return key, secret, nil
}

// List returns the keys, oldest first.
func (k *Keys) List() []APIKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]APIKey, 0, len(k.keys))
	for _, key := range k.keys {
		listed := key.APIKey
		listed.Spent = key.spent
		out = append(out, listed)
	}
	slices.SortFunc(out, func(a, b APIKey) int {
		if a.Created != b.Created {
			return int(a.Created - b.Created)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// Revoke ends a key, by id or name, for every call from now on. It fails with
// croft.ErrNotFound.
func (k *Keys) Revoke(ref string) (APIKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for hash, key := range k.keys {
		if key.ID == ref || key.Name == ref {
			if err := k.docs.Delete(apiKeyKind, key.ID); err != nil {
				return key.APIKey, err
			}
			delete(k.keys, hash)
			return key.APIKey, nil
		}
	}
	return APIKey{}, croft.E(croft.ErrNotFound, "API key", ref, "croft apikey ls")
}

// find returns the key of a secret. It fails with croft.ErrAPIKey.
func (k *Keys) find(secret string) (*openKey, error) {
	if secret == "" {
		return nil, croft.E(croft.ErrAPIKey, "the request has none")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.keys[croft.Sum([]byte(secret))]; key != nil {
		return key, nil
	}
	return nil, croft.E(croft.ErrAPIKey, "it is unknown, or was revoked")
}

// may says whether a key may call a service.
func (k *openKey) may(o Offer) error {
	switch {
	case len(k.Services) > 0 && !slices.Contains(k.Services, o.Name):
		return croft.E(croft.ErrAPIKey, "it is not for "+o.Name)
	case o.Any && !k.Any: // else whoever takes a name gets what was meant for another
		return croft.E(croft.ErrAPIKey, "several providers have a "+o.Name+", and it is not for any of them: say whose")
	}
	return nil
}

// spend sets aside what a call may cost, or what the key has left if that is less. settle
// then says what it did cost. It fails with croft.ErrAPIKey if the key was revoked meanwhile.
func (k *Keys) spend(key *openKey, most croft.Credits) (set croft.Credits, settle func(cost croft.Credits), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys[key.Hash] != key { // its document is gone, and must not come back
		return 0, nil, croft.E(croft.ErrAPIKey, "it is unknown, or was revoked")
	}
	set = min(most, key.Cap-min(key.spent, key.Cap))
	key.spent += set
	if key.spent > key.Spent { // a step ahead, so that most calls need no document
		key.Spent = min(key.Cap, key.spent+key.Cap/32)
		if err := k.docs.Put(apiKeyKind, key.ID, croft.Encode(key.APIKey)); err != nil {
			key.spent -= set
			return 0, nil, err
		}
	}
	return set, func(cost croft.Credits) {
		k.mu.Lock()
		defer k.mu.Unlock()
		key.spent -= set - min(cost, set)
	}, nil
}
