package domain

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// PageToken is the position at which the next page of a request begins. It is an opaque text without blanks that is
// safe in a URL and in a file name. It contains no data and grants no access, and it is valid only for its request.
//
// To read a request in pages, set First to the size of a page. Create the token for the next page from the request and
// Result.Next:
//
//	request := domain.DataRequest{Key: key, Start: start, First: 1000}
//	result, err := md.Fetch(ctx, request)
//	token, err := domain.NewPageToken(request, result.Next)
//
// Later, even in another process, resume the same request:
//
//	page, err := token.Resume(request)
//	result, err := md.Fetch(ctx, page)
//	token, err := domain.NewPageToken(request, result.Next) // the request, not the page
//
// All pages together equal the result without paging: its bars, Uncovered, Filled and Dropped, whatever the page sizes.
// A page with fewer bars than First is the last one for now. The same token finds more bars later if the request has no
// End, if End is in the future, or if the end of the range was not covered yet. Bars that are written before the
// position of the token are not returned any more.
//
// To resume a Stream, create the token from the request and the end of the last piece that was processed.
type PageToken string

// A token is encoded in base64 for URLs without padding. It consists of the version, the fingerprint of the request,
// the position in microseconds since 1970 (little-endian), and the CRC-32C of all bytes before. Every version begins
// with its number and ends with the checksum.
const (
	pageVersion     = 1
	pageFingerprint = 8
	pageBytes       = 1 + pageFingerprint + 8 + crc32.Size
)

var pageText = base64.RawURLEncoding

// NewPageToken returns the token to resume the request r at next, which is Result.Next of the previous page or the end
// of the bars that were processed. r must be the original request, not one that Resume returned. NewPageToken returns
// an error that wraps ErrInvalid if r is invalid, if r.Last is set, because the last bars cannot be paged, or if next
// is before r.Start.
func NewPageToken(r DataRequest, next time.Time) (PageToken, error) {
	if err := checkPaged(r); err != nil {
		return "", err
	}
	if err := checkNext(r, next); err != nil {
		return "", err
	}

	b := append(make([]byte, 0, pageBytes), pageVersion)
	b = append(b, r.pageFingerprint()...)
	b = binary.LittleEndian.AppendUint64(b, uint64(MicrosCeil(next)))
	b = binary.LittleEndian.AppendUint32(b, pageChecksum(b))
	return PageToken(pageText.EncodeToString(b)), nil
}

// Resume returns the request for the next page, which is r with another Start. r must be the request of the token,
// except that First may differ, so that pages may have different sizes. Resume returns an error that wraps ErrInvalid
// if the token is malformed, damaged, of an unknown version, or of a request that differs in key, range, quality
// policy, fill policy or Resample.
func (t PageToken) Resume(r DataRequest) (DataRequest, error) {
	if err := checkPaged(r); err != nil {
		return DataRequest{}, err
	}

	b, err := pageText.DecodeString(string(t))
	if err != nil || pageText.EncodeToString(b) != string(t) || len(b) <= 1+crc32.Size {
		return DataRequest{}, t.invalid("not a page token; give the one that came with the previous page")
	}

	body := b[:len(b)-crc32.Size]
	if binary.LittleEndian.Uint32(b[len(body):]) != pageChecksum(body) {
		return DataRequest{}, t.invalid(
			"malformed or damaged; give the whole token that came with the previous page")
	}
	if version := body[0]; version != pageVersion {
		return DataRequest{}, t.invalid(
			"its version is %d, but this program supports version %d; begin again without a token", version, pageVersion)
	}
	if len(b) != pageBytes {
		return DataRequest{}, t.invalid("not a page token; give the one that came with the previous page")
	}

	fingerprint, at := body[1:1+pageFingerprint], body[1+pageFingerprint:]
	if !bytes.Equal(fingerprint, r.pageFingerprint()) {
		return DataRequest{}, t.invalid(
			"it is of another request; repeat that request: series, range, quality, fill, resample")
	}

	next := Micros(binary.LittleEndian.Uint64(at)).Time()
	if err := checkNext(r, next); err != nil {
		return DataRequest{}, err
	}

	if r.Start = next; !r.End.IsZero() && r.End.Before(next) { // the last bar may reach beyond the end
		r.Start = r.End
	}
	return r, nil
}

// invalid returns the error for a token that Resume does not accept.
func (t PageToken) invalid(format string, args ...any) error {
	return invalid("page token", string(t), format, args...)
}

// checkPaged returns an error unless the request is valid and can be read in pages.
func checkPaged(r DataRequest) error {
	if r.Last > 0 {
		return invalid("request", r.String(), "the last bars cannot be paged; give a range, and the size of a page as first")
	}
	return r.Validate()
}

// checkNext returns an error if no result of the request can have this Next.
func checkNext(r DataRequest, next time.Time) error {
	if _, err := NewRange(next, next); err != nil {
		return err
	}
	if next.Before(r.Start) {
		return invalid("page token", next.UTC().Format(time.RFC3339Nano),
			"it is before the start of %s; give Next of a result of that request", r)
	}

	return nil
}

// pageFingerprint returns a hash of the fields that determine the result without paging. It excludes First, because
// page sizes may change.
func (r DataRequest) pageFingerprint() []byte {
	of := fmt.Sprintf("%s\n%d\n%d\n%s\n%s\n%t",
		r.Key, MicrosCeil(r.Start), MicrosCeil(r.End), r.Quality, r.Fill, r.Resample)
	sum := sha256.Sum256([]byte(of))
	return sum[:pageFingerprint]
}

func pageChecksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
