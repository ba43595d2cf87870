// Package pagetoken makes tokens that continue a paged read later. It is apart from package domain because a program
// that does not read pages must not link crypto/sha256.
package pagetoken

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Token is the position at which the next page of a request begins. It is an opaque text without blanks that is
// safe in a URL and in a file name. It contains no data and grants no access, and it is valid only for its request.
//
// To read a request in pages, set First to the size of a page. Create the token for the next page from the request and
// Result.Next:
//
//	request := domain.DataRequest{Key: key, Start: start, First: 1000, Paged: true}
//	result, err := md.Fetch(ctx, request)
//	token, err := pagetoken.New(request, result.Next, result.Checkpoint)
//
// Later, even in another process, resume the same request:
//
//	page, err := token.Resume(request)
//	result, err := md.Fetch(ctx, page)
//	token, err := pagetoken.New(request, result.Next, result.Checkpoint) // the request, not the page
//
// All pages together equal the result without paging: its bars, Uncovered, Filled and Dropped, whatever the page sizes.
// A page with fewer bars than First is the last one for now. The same token finds more bars later if the request has no
// End, if End is in the future, or if the end of the range was not covered yet. Bars that are written before the
// position of the token are not returned any more. If they, or other changes, concern what the pages before returned,
// Result.Restated of the next page says so.
//
// To resume a Stream, create the token from the request and the end of the last piece that was processed, without a
// checkpoint; then Restated is not told.
//
// NewTicks and ResumeTicks continue requests for trades and quotes in the same way.
type Token string

// A token is encoded in base64 for URLs without padding. It consists of the version, the fingerprint of the request,
// the position in microseconds since 1970 (little-endian), the rest of the checkpoint where there is one, and
// the CRC-32C of all bytes before. Every version begins with its number and ends with the checksum.
const (
	version          = 2
	fingerprintBytes = 8
	positionBytes    = 8
	minTokenBytes    = 1 + fingerprintBytes + positionBytes + crc32.Size
)

var encoding = base64.RawURLEncoding

// New returns the token to resume the request r at next, which is Result.Next of the previous page or the end
// of the bars that were processed. c is Result.Checkpoint of the previous page, or "". r must be the original request,
// not one that Resume returned. New returns an error that wraps domain.ErrInvalid if r is invalid, if r.Last is set,
// because the last bars cannot be paged, if r has First and is not Paged, if next is before r.Start, or if c is of
// another position.
func New(r domain.DataRequest, next time.Time, c domain.Checkpoint) (Token, error) {
	return newToken(ofBars(r), next, c)
}

// NewTicks is New for a request for trades or quotes. next is TickResult.Next of the previous page, which never divides
// an instant. A piece of a stream may; resume a stream at the time of its last tick, whose instant then comes again.
func NewTicks(
	kind domain.TickKind, r domain.TickRequest, next time.Time, c domain.Checkpoint,
) (Token, error) {
	return newToken(ofTicks(kind, r), next, c)
}

// Resume returns the request for the next page, which is r with another Start, and the checkpoint of the token. r must
// be the request of the token, except that First may differ, so that pages may have different sizes. Resume returns an
// error that wraps domain.ErrInvalid if the token is malformed, damaged, of another version, or of a request that
// differs in key, range, quality policy, fill policy or Resample.
func (t Token) Resume(r domain.DataRequest) (domain.DataRequest, error) {
	start, checkpoint, err := t.resume(ofBars(r))
	if err != nil {
		return domain.DataRequest{}, err
	}

	r.Start, r.Paged, r.Checkpoint = start, true, checkpoint

	return r, nil
}

// ResumeTicks is Resume for the token of a request for trades or quotes.
func (t Token) ResumeTicks(kind domain.TickKind, r domain.TickRequest) (domain.TickRequest, error) {
	start, checkpoint, err := t.resume(ofTicks(kind, r))
	if err != nil {
		return domain.TickRequest{}, err
	}

	r.Start, r.Paged, r.Checkpoint = start, true, checkpoint

	return r, nil
}

// request has the fields of a request for bars, trades or quotes that a token binds.
type request struct {
	text       string
	invalid    error
	start, end time.Time
	last       int
	isUnpaged  bool   // it has First, but no checkpoint
	identity   string // the fields that determine the result without paging: not First, because page sizes may change
	repeat     string // names these fields
}

func ofBars(r domain.DataRequest) request {
	return request{
		text: r.String(), invalid: r.Validate(), start: r.Start, end: r.End, last: r.Last, isUnpaged: r.First > 0 && !r.Paged,
		identity: fmt.Sprintf("%s\n%d\n%d\n%s\n%s\n%t",
			r.Key, domain.MicrosCeil(r.Start), domain.MicrosCeil(r.End), r.Quality, r.Fill, r.Resample),
		repeat: "series, range, quality, fill, resample",
	}
}

func ofTicks(kind domain.TickKind, r domain.TickRequest) request {
	return request{
		text: r.String(), invalid: r.Validate(), start: r.Start, end: r.End, last: r.Last, isUnpaged: r.First > 0 && !r.Paged,
		identity: fmt.Sprintf("%s\n%s\n%d\n%d", kind, r.Symbol, domain.MicrosCeil(r.Start), domain.MicrosCeil(r.End)),
		repeat:   "trades or quotes, symbol, range",
	}
}

func newToken(r request, next time.Time, c domain.Checkpoint) (Token, error) {
	if err := r.checkPaged(); err != nil {
		return "", err
	}
	if r.isUnpaged {
		return "", invalid("request", r.text, "it has no checkpoint for a later page; set Paged before it is answered")
	}
	if err := r.checkNext(next); err != nil {
		return "", err
	}

	position := binary.LittleEndian.AppendUint64(nil, uint64(domain.MicrosCeil(next)))
	if c != "" && (len(c) <= len(position) || !strings.HasPrefix(string(c), string(position))) {
		return "", invalid("page token", next.UTC().Format(time.RFC3339Nano),
			"the checkpoint is of another position; give that of the same result")
	}

	b := append(make([]byte, 0, 2*minTokenBytes), version)
	b = append(b, r.fingerprint()...)
	b = append(b, cmp.Or(string(c), string(position))...)
	b = binary.LittleEndian.AppendUint32(b, checksum(b))

	return Token(encoding.EncodeToString(b)), nil
}

// resume returns the start of the next page of the request, and the checkpoint of the pages before, if there is one.
func (t Token) resume(r request) (time.Time, domain.Checkpoint, error) {
	if err := r.checkPaged(); err != nil {
		return time.Time{}, "", err
	}

	body, err := t.body()
	if err != nil {
		return time.Time{}, "", err
	}

	hash, at := body[1:1+fingerprintBytes], body[1+fingerprintBytes:]
	if !bytes.Equal(hash, r.fingerprint()) {
		return time.Time{}, "", t.invalid("it is of another request; repeat that request: %s", r.repeat)
	}

	next := domain.Micros(binary.LittleEndian.Uint64(at)).Time()
	if err := r.checkNext(next); err != nil {
		return time.Time{}, "", err
	}

	var checkpoint domain.Checkpoint
	if len(at) > positionBytes {
		checkpoint = domain.Checkpoint(at)
	}
	if !r.end.IsZero() && r.end.Before(next) { // the last bar may reach beyond the end
		next = r.end
	}

	return next, checkpoint, nil
}

// body returns the bytes of the token before its checksum.
func (t Token) body() ([]byte, error) {
	b, err := encoding.DecodeString(string(t))
	if err != nil || encoding.EncodeToString(b) != string(t) || len(b) <= 1+crc32.Size {
		return nil, t.invalid("not a page token; give the one that came with the previous page")
	}

	body := b[:len(b)-crc32.Size]
	if binary.LittleEndian.Uint32(b[len(body):]) != checksum(body) {
		return nil, t.invalid("malformed or damaged; give the whole token that came with the previous page")
	}
	if v := body[0]; v != version {
		return nil, t.invalid(
			"its version is %d, but this program supports version %d; begin again without a token", v, version)
	}
	if len(b) < minTokenBytes {
		return nil, t.invalid("not a page token; give the one that came with the previous page")
	}

	return body, nil
}

// invalid returns the error for a token that Resume does not accept.
func (t Token) invalid(format string, args ...any) error {
	return invalid("page token", string(t), format, args...)
}

// checkPaged returns an error unless the request is valid and can be read in pages.
func (r request) checkPaged() error {
	if r.last > 0 {
		return invalid("request", r.text, "the last rows cannot be paged; give a range, and the size of a page as first")
	}

	return r.invalid
}

// checkNext returns an error if no result of the request can have this Next.
func (r request) checkNext(next time.Time) error {
	if _, err := domain.NewRange(next, next); err != nil {
		return err
	}
	if next.Before(r.start) {
		return invalid("page token", next.UTC().Format(time.RFC3339Nano),
			"it is before the start of %s; give the time where a result of that request ended", r.text)
	}

	return nil
}

// fingerprint returns a hash of the identity.
func (r request) fingerprint() []byte {
	sum := sha256.Sum256([]byte(r.identity))
	return sum[:fingerprintBytes]
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func invalid(what, value, format string, args ...any) error {
	return &domain.InvalidError{What: what, Value: value, Reason: fmt.Sprintf(format, args...)}
}
