package store

import (
	"bytes"
	"maps"
	"slices"
	"sync"
)

// Memory holds blobs and documents in memory, with the contract of a disk. It
// outlives the Blobs and Docs on top of it, as a disk outlives a process: open it
// again to see what a crash left. The zero value is empty and ready.
type Memory struct {
	// Fail, if set before first use, decides for each "put", "get" and "delete"
	// of a file whether it takes effect and what the caller hears: a disk may do
	// a thing and report an error, and after a crash nobody hears anything. A
	// get that does not take effect finds nothing. The file's name is the blob's
	// hash in hexadecimal, or kind~name.
	Fail func(op, file string) (done bool, err error)

	mu    sync.Mutex // guards files
	files map[string][]byte
}

// Edit changes the stored bytes of a file behind the store's back, as a failing
// disk would. It reports whether the file was there.
func (m *Memory) Edit(file string, edit func(raw []byte) []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	raw, ok := m.files[file]
	if ok {
		m.files[file] = edit(bytes.Clone(raw))
	}
	return ok
}

func (m *Memory) fail(op, file string) (bool, error) {
	if m.Fail == nil {
		return true, nil
	}
	return m.Fail(op, file)
}

func (m *Memory) write(name string, data []byte) error {
	done, err := m.fail("put", name)
	if done {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.files == nil {
			m.files = map[string][]byte{}
		}
		m.files[name] = bytes.Clone(data)
	}
	return err
}

func (m *Memory) read(name string, limit int64) ([]byte, error) {
	done, err := m.fail("get", name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.files[name]
	if !ok || !done {
		return nil, ErrAbsent
	}
	if size := int64(len(data)); size > limit {
		return nil, tooLong(name, size, limit)
	}
	return bytes.Clone(data), nil
}

func (m *Memory) has(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.files[name]
	return ok
}

func (m *Memory) remove(name string) error {
	done, err := m.fail("delete", name)
	if done {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.files, name)
	}
	return err
}

func (m *Memory) list() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.files)), nil
}

func (m *Memory) path(name string) string { return name }

func (m *Memory) close() error { return nil }
