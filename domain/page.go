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

// PageToken is where a reader of pages goes on, in a form to keep and to hand around: opaque, without blanks, safe in a
// URL and in a file name. It holds no data and opens no door: it is a bookmark in one request, and good for that one
// only.
//
// Pages are of a request with First, the size of a page. The token of the next one is made of that request and of
// Result.Next:
//
//	request := domain.DataRequest{Key: key, Start: start, First: 1000}
//	result, err := md.Fetch(ctx, request)
//	token, err := domain.NewPageToken(request, result.Next)
//
// and later, perhaps elsewhere, goes on with the request that it was made of:
//
//	page, err := token.Resume(request)
//	result, err := md.Fetch(ctx, page)
//	token, err := domain.NewPageToken(request, result.Next) // of the request, not of the page
//
// The pages of a request sum to its one answer, the bars, Uncovered, Filled and Dropped alike, however large each is. A
// page with fewer bars than First is the last for now: all that there is has been returned. Where the request has no
// End, or one that is still to come, or where nobody held the end of the range yet, the same token finds more once
// there is more. What is written to a place that the reader has passed is not returned any more.
//
// Of a Stream the token is made of the request and of the end of the last piece that the reader is done with.
type PageToken string

// The binary form of a token, in base64 for URLs without padding: the version; the fingerprint of the request; where to
// go on, in microseconds since 1970, little-endian; the CRC-32C of all that. Every version begins with its number and
// ends with the checksum.
const (
	pageVersion     = 1
	pageFingerprint = 8
	pageBytes       = 1 + pageFingerprint + 8 + crc32.Size
)

var pageText = base64.RawURLEncoding

// NewPageToken returns the token to go on with at next in the request: Result.Next of its page before, or the end of
// the bars that the reader has of it. r is the request of all the pages, not one that Resume returned. A request for
// the last few bars has no pages and is refused, as is a next before its start.
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

// Resume returns the request for what comes next: r with another Start. r is the request that the token was made of;
// its First may be another, so the size of a page may change from one to the next. Refused is what is no token, one
// that is damaged, one of a version that this program does not know, and one of another request: of another key, range,
// policy of quality or fill, or Resample.
func (t PageToken) Resume(r DataRequest) (DataRequest, error) {
	if err := checkPaged(r); err != nil {
		return DataRequest{}, err
	}

	b, err := pageText.DecodeString(string(t))
	if err != nil || pageText.EncodeToString(b) != string(t) || len(b) <= 1+crc32.Size {
		return DataRequest{}, t.refused("not a page token; give one as it came with the page before")
	}

	body := b[:len(b)-crc32.Size]
	if binary.LittleEndian.Uint32(b[len(body):]) != pageChecksum(body) {
		return DataRequest{}, t.refused("not a page token, or a damaged one; give it whole, as it came with the page before")
	}
	if version := body[0]; version != pageVersion {
		return DataRequest{}, t.refused("it is of version %d, and this program knows version %d; begin again without one",
			version, pageVersion)
	}
	if len(b) != pageBytes {
		return DataRequest{}, t.refused("not a page token; give one as it came with the page before")
	}

	fingerprint, at := body[1:1+pageFingerprint], body[1+pageFingerprint:]
	if !bytes.Equal(fingerprint, r.pageFingerprint()) {
		return DataRequest{}, t.refused("it is of another request; repeat the one that it came with: series, range, quality, fill, resample")
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

func (t PageToken) refused(format string, args ...any) error {
	return invalid("page token", string(t), format, args...)
}

func checkPaged(r DataRequest) error {
	if r.Last > 0 {
		return invalid("request", r.String(), "the last few have no pages; give a range, and the size of the page as the first so many")
	}
	return r.Validate()
}

// checkNext refuses what no answer to the request has as its Next.
func checkNext(r DataRequest, next time.Time) error {
	if _, err := NewRange(next, next); err != nil {
		return err
	}
	if next.Before(r.Start) {
		return invalid("page token", next.UTC().Format(time.RFC3339Nano), "it would go on before the start of %s; give that request's own Next", r)
	}

	return nil
}

// pageFingerprint is of all that says what the pages of the request sum to: not of First, which is the size of one.
func (r DataRequest) pageFingerprint() []byte {
	of := fmt.Sprintf("%s\n%d\n%d\n%s\n%s\n%t", r.Key, MicrosCeil(r.Start), MicrosCeil(r.End), r.Quality, r.Fill, r.Resample)
	sum := sha256.Sum256([]byte(of))
	return sum[:pageFingerprint]
}

func pageChecksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
