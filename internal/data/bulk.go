package data

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"croft"
)

// Bulk fetches what a FHIR server has exported (Bulk Data Access 2.0: a manifest that
// lists files of resources) into a folder, for openFHIR to read.
type Bulk struct {
	Manifest string   // its address
	Hosts    []string // that may be asked, as they stand in an address, with the port if it has one
	Token    string   // sent to those hosts; "" for none
	Most     int64    // bytes of all files together; 0 for 64 GiB
	Client   *http.Client
}

const (
	maxManifest  = 4 << 20 // bytes
	maxBulkFiles = 10_000
	maxBulk      = 64 << 30
	bulkSilence  = 2 * time.Minute // without a byte, a server counts as gone
	manifestName = "manifest.json"
)

// manifest is the part of a manifest that matters here.
type manifest struct {
	TransactionTime string `json:"transactionTime"`
	Output          []struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"output"`
}

// Fetch fills the folder and returns how many files it has. Only https is spoken, only
// with the hosts that are allowed, and redirects are not followed. What is there
// already from an earlier try is kept and gone on with; a folder that was filled from
// another manifest is ErrFileOpen. ErrHost for an address that is not allowed; ErrFetch
// for what a server does not give, or gives too much of.
func (b Bulk) Fetch(ctx context.Context, folder string) (files int, err error) {
	client := http.Client{Transport: &http.Transport{}} // no proxy, no cookies
	if b.Client != nil {
		client = *b.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.Client = &client
	left := b.Most
	if left == 0 {
		left = maxBulk
	}
	body, _, err := b.get(ctx, b.Manifest, 0)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(io.LimitReader(body, maxManifest+1))
	body.Close()
	var m manifest
	switch {
	case err != nil:
		return 0, croft.E(croft.ErrFetch, b.Manifest, err)
	case len(text) > maxManifest:
		return 0, croft.E(croft.ErrFetch, b.Manifest, fmt.Sprintf("it has more than %d bytes", maxManifest))
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Output) == 0 || len(m.Output) > maxBulkFiles {
		return 0, croft.E(croft.ErrFetch, b.Manifest, fmt.Sprintf("it is no manifest that lists 1 to %d files", maxBulkFiles))
	}
	if err := b.claim(folder, text); err != nil {
		return 0, err
	}
	for i, o := range m.Output {
		if o.Type == "" || strings.Trim(o.Type, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" || len(o.Type) > 64 {
			return 0, croft.E(croft.ErrFetch, b.Manifest, fmt.Sprintf("%.40q is no type of resources", o.Type))
		}
		path := filepath.Join(folder, fmt.Sprintf("%04d.%s.ndjson", i+1, o.Type)) // nothing of the address is in it
		if left, err = b.file(ctx, o.URL, path, left); err != nil {
			return 0, err
		}
	}
	return len(m.Output), nil
}

// claim makes the folder this manifest's: files of two exports must not be mixed.
func (b Bulk) claim(folder string, text []byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return croft.E(croft.ErrFileWrite, folder, err)
	}
	path := filepath.Join(folder, manifestName)
	kept, err := os.ReadFile(path)
	switch {
	case err == nil && string(kept) != string(text):
		return croft.E(croft.ErrFileOpen, folder, "it holds another export: remove it, or give the dataset another name")
	case err == nil:
		return nil
	}
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return croft.E(croft.ErrFileWrite, path, err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return croft.E(croft.ErrFileWrite, path, err)
	}
	return keep(f, path)
}

// file fetches one file, of at most so many bytes, and returns how many are left for
// the others.
//
//	Crash: what has arrived is in path.part, and the next try asks for the rest.
func (b Bulk) file(ctx context.Context, address, path string, left int64) (int64, error) {
	if info, err := os.Stat(path); err == nil {
		return left - info.Size(), nil
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, croft.E(croft.ErrFileWrite, part, err)
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, croft.E(croft.ErrFileWrite, part, err)
	}
	body, from, err := b.get(ctx, address, have)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	if from != have { // the server begins anew
		if err := errors.Join(f.Truncate(from), seek(f, from)); err != nil {
			return 0, croft.E(croft.ErrFileWrite, part, err)
		}
	}
	n, err := io.Copy(f, io.LimitReader(body, left-from+1))
	switch {
	case err != nil:
		return 0, croft.E(croft.ErrFetch, address, err)
	case from+n > left:
		return 0, croft.E(croft.ErrFetch, address, "the export is larger than is allowed")
	}
	if err := keep(f, path); err != nil {
		return 0, err
	}
	return left - from - n, nil
}

// keep gives a file that is whole its name, once it is on the disk.
func keep(f *os.File, path string) error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return croft.E(croft.ErrFileWrite, path, err)
	}
	return nil
}

func seek(f *os.File, to int64) error { _, err := f.Seek(to, io.SeekStart); return err }

// get asks for an address from a byte on, and returns from which it is given.
func (b Bulk) get(ctx context.Context, address string, from int64) (body io.ReadCloser, begins int64, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || !slices.Contains(b.Hosts, u.Host) {
		return nil, 0, croft.E(croft.ErrHost, fmt.Sprintf("%.200s", address))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, croft.E(croft.ErrFetch, address, err)
	}
	request.Header.Set("Accept", "application/fhir+ndjson, application/json")
	request.Header.Set("Accept-Encoding", "identity") // what is resumed is what stands there
	if b.Token != "" {
		request.Header.Set("Authorization", "Bearer "+b.Token)
	}
	if from > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	answer, err := b.do(request)
	if err != nil {
		return nil, 0, croft.E(croft.ErrFetch, address, err)
	}
	switch {
	case answer.StatusCode == http.StatusOK:
		return answer.Body, 0, nil
	case from > 0 && answer.StatusCode == http.StatusPartialContent && strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", from)):
		return answer.Body, from, nil
	case from > 0 && answer.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		answer.Body.Close()
		if size := answer.Header.Get("Content-Range"); size != "" && size != fmt.Sprintf("bytes */%d", from) {
			return b.get(ctx, address, 0) // what is here is more than all of it
		}
		return http.NoBody, from, nil // all of it is here
	}
	answer.Body.Close()
	why := "the server says " + answer.Status
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		why += ", and redirects are not followed"
	}
	return nil, 0, croft.E(croft.ErrFetch, address, why)
}

// do sends a request, and gives it up when nothing comes of it for bulkSilence.
func (b Bulk) do(request *http.Request) (*http.Response, error) {
	ctx, end := context.WithCancelCause(request.Context())
	silence := time.AfterFunc(bulkSilence, func() { end(errSilent) })
	answer, err := b.Client.Do(request.WithContext(ctx))
	if err != nil {
		err = cmp.Or(context.Cause(ctx), err)
		silence.Stop()
		end(nil)
		return nil, err
	}
	answer.Body = attended{answer.Body, ctx, end, silence}
	return answer, nil
}

var errSilent = fmt.Errorf("nothing came for %v", bulkSilence)

// attended is the body of an answer that ends when nothing more of it comes.
type attended struct {
	io.ReadCloser
	ctx     context.Context
	end     context.CancelCauseFunc
	silence *time.Timer
}

func (a attended) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.silence.Reset(bulkSilence)
	if err != nil && err != io.EOF {
		err = cmp.Or(context.Cause(a.ctx), err)
	}
	return n, err
}

func (a attended) Close() error {
	a.silence.Stop()
	a.end(nil)
	return a.ReadCloser.Close()
}
