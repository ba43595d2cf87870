package influx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// decoder reads msgpack as strictly as it can be read: what an answer of InfluxDB never holds is an error, and so is a body that
// ends within a value. An error is for good: the decoder is not used after it.
type decoder struct {
	source   io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] is read and not yet decoded
	limit    int64 // how many bytes may be read at once, from renew to renew
	left     int64 // how many of them are left
	ended    error // what the source's last read returned
}

const (
	decoderBuffer = 64 << 10
	maxText       = 16 << 10 // no name, tag value or error text is longer
)

func newDecoder(source io.Reader, maxBytes int64) *decoder {
	return &decoder{source: source, buf: make([]byte, decoderBuffer), limit: maxBytes, left: maxBytes}
}

// renew grants the whole limit again.
func (d *decoder) renew() { d.left = d.limit }

// The first bytes of msgpack values.
const (
	codeNil     = 0xc0
	codeFalse   = 0xc2
	codeTrue    = 0xc3
	codeExt8    = 0xc7
	codeFloat64 = 0xcb
	codeUint8   = 0xcc
	codeUint16  = 0xcd
	codeUint32  = 0xce
	codeUint64  = 0xcf
	codeInt8    = 0xd0
	codeInt16   = 0xd1
	codeInt32   = 0xd2
	codeInt64   = 0xd3
	codeFixExt4 = 0xd6
	codeFixExt8 = 0xd7
	codeStr8    = 0xd9
	codeStr16   = 0xda
	codeStr32   = 0xdb
	codeArray16 = 0xdc
	codeArray32 = 0xdd
	codeMap16   = 0xde
	codeMap32   = 0xdf

	extTimestamp = 0xff // -1, the timestamp of the msgpack specification
	extTime      = 5    // what InfluxDB's encoder writes: 8 bytes of seconds, 4 of nanoseconds
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("msgpack: "+format+": %w", append(args, ports.ErrIncomplete)...)
}

// readError is a failure of the source itself: of the connection, or of a limit.
type readError struct{ err error }

func (e *readError) Error() string { return "answer cut off: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// more reports whether another byte follows; false without an error is the end of the answer.
func (d *decoder) more() (bool, error) {
	if d.pos < d.end {
		return true, nil
	}

	err := d.fill(1)
	if d.pos == d.end && errors.Is(d.ended, io.EOF) {
		return false, nil
	}

	return err == nil, err
}

// fill makes n bytes ready, n not above the buffer's size.
func (d *decoder) fill(n int) error {
	if d.pos > 0 {
		d.end = copy(d.buf, d.buf[d.pos:d.end])
		d.pos = 0
	}

	for d.end < n {
		if d.ended != nil {
			if errors.Is(d.ended, io.EOF) {
				return &readError{io.ErrUnexpectedEOF}
			}
			return &readError{d.ended}
		}

		read, err := d.source.Read(d.buf[d.end:])
		d.end += read
		d.left -= int64(read)
		d.ended = err
		if d.left < 0 {
			return fmt.Errorf("the answer is longer than its limit; ask for less, or raise the limit: %w", ports.ErrTooLarge)
		}
	}

	return nil
}

// next is the next n bytes, valid until the next call.
func (d *decoder) next(n int) ([]byte, error) {
	if d.end-d.pos < n {
		if err := d.fill(n); err != nil {
			return nil, err
		}
	}

	b := d.buf[d.pos : d.pos+n]
	d.pos += n
	return b, nil
}

func (d *decoder) code() (byte, error) {
	b, err := d.next(1)
	if err != nil {
		return 0, err
	}

	return b[0], nil
}

// size reads a length of the given width in bytes.
func (d *decoder) size(width int) (int, error) {
	b, err := d.next(width)
	if err != nil {
		return 0, err
	}

	switch width {
	case 1:
		return int(b[0]), nil
	case 2:
		return int(binary.BigEndian.Uint16(b)), nil
	default:
		return int(binary.BigEndian.Uint32(b)), nil
	}
}

// array reads the head of an array: how many values follow.
func (d *decoder) array() (int, error) {
	c, err := d.code()
	switch {
	case err != nil:
		return 0, err
	case c&0xf0 == 0x90:
		return int(c & 0x0f), nil
	case c == codeArray16:
		return d.size(2)
	case c == codeArray32:
		return d.size(4)
	}

	return 0, malformed("0x%02x where an array should be", c)
}

// dict reads the head of a map: how many keys with values follow.
func (d *decoder) dict() (int, error) {
	c, err := d.code()
	switch {
	case err != nil:
		return 0, err
	case c&0xf0 == 0x80:
		return int(c & 0x0f), nil
	case c == codeMap16:
		return d.size(2)
	case c == codeMap32:
		return d.size(4)
	}

	return 0, malformed("0x%02x where a map should be", c)
}

// bytes reads a text; what it returns is valid until the next call.
func (d *decoder) bytes() ([]byte, error) {
	c, err := d.code()
	if err != nil {
		return nil, err
	}

	return d.bytesAfter(c)
}

func (d *decoder) bytesAfter(c byte) ([]byte, error) {
	var n int
	var err error
	switch {
	case c&0xe0 == 0xa0:
		n = int(c & 0x1f)
	case c == codeStr8:
		n, err = d.size(1)
	case c == codeStr16:
		n, err = d.size(2)
	case c == codeStr32:
		n, err = d.size(4)
	default:
		return nil, malformed("0x%02x where a text should be", c)
	}
	if err != nil {
		return nil, err
	}
	if n > maxText {
		return nil, fmt.Errorf("a text of %d bytes in the answer: %w", n, ports.ErrTooLarge)
	}

	return d.next(n)
}

func (d *decoder) text() (string, error) {
	b, err := d.bytes()
	return string(b), err
}

func (d *decoder) boolean() (bool, error) {
	c, err := d.code()
	if err == nil && c != codeTrue && c != codeFalse {
		err = malformed("0x%02x where true or false should be", c)
	}
	return c == codeTrue, err
}

// number is what a field may hold.
type number struct {
	kind  numberKind
	float float64
	int   int64
}

type numberKind uint8

const (
	numberNull numberKind = iota
	numberFloat
	numberInt
)

// number reads a float, an integer or NULL. A float of 32 bits is refused: it would have lost digits on its way.
func (d *decoder) number() (number, error) {
	if d.end-d.pos >= 9 && d.buf[d.pos] == codeFloat64 { // nearly all of an answer
		f := math.Float64frombits(binary.BigEndian.Uint64(d.buf[d.pos+1:]))
		d.pos += 9
		return number{kind: numberFloat, float: f}, nil
	}

	c, err := d.code()
	if err != nil || c == codeNil {
		return number{}, err
	}
	if c == codeFloat64 {
		b, err := d.next(8)
		if err != nil {
			return number{}, err
		}

		return number{kind: numberFloat, float: math.Float64frombits(binary.BigEndian.Uint64(b))}, nil
	}

	i, err := d.integerAfter(c)
	return number{kind: numberInt, int: i}, err
}

func (d *decoder) integer() (int64, error) {
	c, err := d.code()
	if err != nil {
		return 0, err
	}

	return d.integerAfter(c)
}

func (d *decoder) integerAfter(c byte) (int64, error) {
	if c <= 0x7f || c >= 0xe0 {
		return int64(int8(c)), nil
	}

	var width int
	switch c {
	case codeUint8, codeInt8:
		width = 1
	case codeUint16, codeInt16:
		width = 2
	case codeUint32, codeInt32:
		width = 4
	case codeUint64, codeInt64:
		width = 8
	default:
		return 0, malformed("0x%02x where a number should be", c)
	}

	b, err := d.next(width)
	if err != nil {
		return 0, err
	}

	var u uint64
	for _, x := range b {
		u = u<<8 | uint64(x)
	}
	if c >= codeInt8 { // sign-extend
		shift := 64 - 8*width
		return int64(u<<shift) >> shift, nil
	}
	if u > math.MaxInt64 {
		return 0, malformed("integer %d", u)
	}

	return int64(u), nil
}

// time reads an instant in nanoseconds since 1970, written as an integer or as one of the two extensions for times.
func (d *decoder) time() (int64, error) {
	if d.end-d.pos >= 9 && d.buf[d.pos] == codeInt64 {
		t := int64(binary.BigEndian.Uint64(d.buf[d.pos+1:]))
		d.pos += 9
		return t, nil
	}

	c, err := d.code()
	if err != nil {
		return 0, err
	}

	var width int
	switch c {
	case codeFixExt4:
		width = 4
	case codeFixExt8:
		width = 8
	case codeExt8:
		if width, err = d.size(1); err != nil {
			return 0, err
		}
		if width != 12 {
			return 0, malformed("extension of %d bytes where a time should be", width)
		}
	default:
		return d.integerAfter(c)
	}

	b, err := d.next(1 + width)
	if err != nil {
		return 0, err
	}

	return extensionTime(b[0], b[1:])
}

func extensionTime(kind byte, b []byte) (int64, error) {
	var seconds, nanos int64
	switch {
	case kind == extTime && len(b) == 12:
		seconds, nanos = int64(binary.BigEndian.Uint64(b)), int64(int32(binary.BigEndian.Uint32(b[8:])))
	case kind == extTimestamp && len(b) == 4:
		seconds = int64(binary.BigEndian.Uint32(b))
	case kind == extTimestamp && len(b) == 8:
		u := binary.BigEndian.Uint64(b)
		seconds, nanos = int64(u&(1<<34-1)), int64(u>>34)
	case kind == extTimestamp && len(b) == 12:
		nanos, seconds = int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint64(b[4:]))
	default:
		return 0, malformed("extension %d of %d bytes where a time should be", int8(kind), len(b))
	}

	const limit = math.MaxInt64/int64(time.Second) - 1
	if nanos < 0 || nanos >= int64(time.Second) || seconds > limit || seconds < -limit {
		return 0, malformed("time of %d s and %d ns", seconds, nanos)
	}

	return seconds*int64(time.Second) + nanos, nil
}

// value reads a number, a text, true, false or NULL: what the answers that are not bars hold.
func (d *decoder) value() (any, error) {
	if ok, err := d.more(); err != nil || !ok {
		_, err = d.next(1)
		return nil, err
	}

	switch c := d.buf[d.pos]; {
	case c&0xe0 == 0xa0, c >= codeStr8 && c <= codeStr32:
		return d.text()
	case c == codeTrue, c == codeFalse:
		return d.boolean()
	case c == codeExt8, c == codeFixExt4, c == codeFixExt8:
		return d.time()
	}

	n, err := d.number()
	switch n.kind {
	case numberFloat:
		return n.float, err
	case numberInt:
		return n.int, err
	}

	return nil, err
}
