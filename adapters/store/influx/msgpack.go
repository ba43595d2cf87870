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

// decoder reads msgpack. It accepts only the types that a response of InfluxDB contains, and refuses a body that ends
// within a value. A decoder must not be used after it has returned an error.
type decoder struct {
	source   io.Reader
	buf      []byte
	pos, end int    // buf[pos:end] has been read and not decoded
	limit    int64  // how many bytes may be read between two calls of resetLimit
	left     int64  // how many bytes of the limit are left
	ended    error  // the error of the last read of source
	advice   string // for a response that exceeds the limit
}

const (
	decoderBuffer = 64 << 10
	maxText       = 16 << 10 // longer than any name, tag value or error message
)

func newDecoder(source io.Reader, maxBytes int64) *decoder {
	return &decoder{
		source: source, buf: make([]byte, decoderBuffer), limit: maxBytes, left: maxBytes,
		advice: "request a shorter range or raise the limit",
	}
}

// resetLimit makes the whole limit available again.
func (d *decoder) resetLimit() { d.left = d.limit }

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
	extTime      = 5    // the time of InfluxDB's encoder: 8 bytes of seconds, 4 bytes of nanoseconds
)

// malformedError reports a response that is not the msgpack of InfluxDB. It wraps ports.ErrIncomplete.
func malformedError(format string, args ...any) error {
	return fmt.Errorf("decode msgpack: "+format+": %w", append(args, ports.ErrIncomplete)...)
}

// readError reports that reading the body failed before its end.
type readError struct{ err error }

// Error returns the cause with its context.
func (e *readError) Error() string { return "read response: " + e.err.Error() }

// Unwrap returns the cause.
func (e *readError) Unwrap() error { return e.err }

// hasMore reports whether another byte follows. False without an error is the end of the response.
func (d *decoder) hasMore() (bool, error) {
	if d.pos < d.end {
		return true, nil
	}

	err := d.fill(1)
	if d.pos == d.end && errors.Is(d.ended, io.EOF) {
		return false, nil
	}

	return err == nil, err
}

// fill reads until n bytes are ready to be decoded. n must not exceed the size of the buffer.
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
			return fmt.Errorf("the response is longer than %d bytes; %s: %w", d.limit, d.advice, ports.ErrTooLarge)
		}
	}

	return nil
}

// next returns the next n bytes. They are valid until the next call.
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

// readCode reads the first byte of a value.
func (d *decoder) readCode() (byte, error) {
	b, err := d.next(1)
	if err != nil {
		return 0, err
	}

	return b[0], nil
}

// readLength reads a length of 1, 2 or 4 bytes.
func (d *decoder) readLength(width int) (int, error) {
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

// readArrayHeader returns how many values of an array follow.
func (d *decoder) readArrayHeader() (int, error) {
	code, err := d.readCode()
	switch {
	case err != nil:
		return 0, err
	case code&0xf0 == 0x90:
		return int(code & 0x0f), nil
	case code == codeArray16:
		return d.readLength(2)
	case code == codeArray32:
		return d.readLength(4)
	}

	return 0, malformedError("0x%02x where an array should be", code)
}

// readMapHeader returns how many keys, each with a value, of a map follow.
func (d *decoder) readMapHeader() (int, error) {
	code, err := d.readCode()
	switch {
	case err != nil:
		return 0, err
	case code&0xf0 == 0x80:
		return int(code & 0x0f), nil
	case code == codeMap16:
		return d.readLength(2)
	case code == codeMap32:
		return d.readLength(4)
	}

	return 0, malformedError("0x%02x where a map should be", code)
}

// readBytes reads a text. The bytes are valid until the next call.
func (d *decoder) readBytes() ([]byte, error) {
	code, err := d.readCode()
	if err != nil {
		return nil, err
	}

	return d.readBytesOf(code)
}

// readBytesOf reads the rest of a text that begins with code. The bytes are valid until the next call.
func (d *decoder) readBytesOf(code byte) ([]byte, error) {
	var n int
	var err error
	switch {
	case code&0xe0 == 0xa0:
		n = int(code & 0x1f)
	case code == codeStr8:
		n, err = d.readLength(1)
	case code == codeStr16:
		n, err = d.readLength(2)
	case code == codeStr32:
		n, err = d.readLength(4)
	default:
		return nil, malformedError("0x%02x where a text should be", code)
	}
	if err != nil {
		return nil, err
	}
	if n > maxText {
		return nil, fmt.Errorf("the response has a text of %d bytes, more than %d: %w", n, maxText, ports.ErrTooLarge)
	}

	return d.next(n)
}

func (d *decoder) readText() (string, error) {
	b, err := d.readBytes()
	return string(b), err
}

func (d *decoder) readBool() (bool, error) {
	code, err := d.readCode()
	if err == nil && code != codeTrue && code != codeFalse {
		err = malformedError("0x%02x where true or false should be", code)
	}

	return code == codeTrue, err
}

// number is the value of a numeric field.
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

// readNumber reads a float, an integer or NULL. It refuses a float of 32 bits, because the conversion has lost digits.
func (d *decoder) readNumber() (number, error) {
	if d.end-d.pos >= 9 && d.buf[d.pos] == codeFloat64 { // nearly every value of a response
		f := math.Float64frombits(binary.BigEndian.Uint64(d.buf[d.pos+1:]))
		d.pos += 9
		return number{kind: numberFloat, float: f}, nil
	}

	code, err := d.readCode()
	if err != nil || code == codeNil {
		return number{}, err
	}
	if code == codeFloat64 {
		b, err := d.next(8)
		if err != nil {
			return number{}, err
		}

		return number{kind: numberFloat, float: math.Float64frombits(binary.BigEndian.Uint64(b))}, nil
	}

	i, err := d.readIntegerOf(code)

	return number{kind: numberInt, int: i}, err
}

func (d *decoder) readInteger() (int64, error) {
	code, err := d.readCode()
	if err != nil {
		return 0, err
	}

	return d.readIntegerOf(code)
}

// readIntegerOf reads the rest of an integer that begins with code.
func (d *decoder) readIntegerOf(code byte) (int64, error) {
	if code <= 0x7f || code >= 0xe0 {
		return int64(int8(code)), nil
	}

	var width int
	switch code {
	case codeUint8, codeInt8:
		width = 1
	case codeUint16, codeInt16:
		width = 2
	case codeUint32, codeInt32:
		width = 4
	case codeUint64, codeInt64:
		width = 8
	default:
		return 0, malformedError("0x%02x where a number should be", code)
	}

	b, err := d.next(width)
	if err != nil {
		return 0, err
	}

	var u uint64
	for _, x := range b {
		u = u<<8 | uint64(x)
	}
	if code >= codeInt8 { // sign-extend
		shift := 64 - 8*width
		return int64(u<<shift) >> shift, nil
	}
	if u > math.MaxInt64 {
		return 0, malformedError("integer %d", u)
	}

	return int64(u), nil
}

// readTime reads an instant, in nanoseconds since 1970. It accepts an integer and both extensions for times.
func (d *decoder) readTime() (int64, error) {
	if d.end-d.pos >= 9 && d.buf[d.pos] == codeInt64 {
		t := int64(binary.BigEndian.Uint64(d.buf[d.pos+1:]))
		d.pos += 9
		return t, nil
	}

	code, err := d.readCode()
	if err != nil {
		return 0, err
	}

	var width int
	switch code {
	case codeFixExt4:
		width = 4
	case codeFixExt8:
		width = 8
	case codeExt8:
		if width, err = d.readLength(1); err != nil {
			return 0, err
		}
		if width != 12 {
			return 0, malformedError("extension of %d bytes where a time should be", width)
		}
	default:
		return d.readIntegerOf(code)
	}

	b, err := d.next(1 + width)
	if err != nil {
		return 0, err
	}

	return extensionTime(b[0], b[1:])
}

// extensionTime returns the instant of an extension, in nanoseconds since 1970.
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
		return 0, malformedError("extension %d of %d bytes where a time should be", int8(kind), len(b))
	}

	const limit = math.MaxInt64/int64(time.Second) - 1
	if nanos < 0 || nanos >= int64(time.Second) || seconds > limit || seconds < -limit {
		return 0, malformedError("time of %d s and %d ns", seconds, nanos)
	}

	return seconds*int64(time.Second) + nanos, nil
}

// readValue reads a number, a text, true, false or NULL: the values of every result except bars.
func (d *decoder) readValue() (any, error) {
	if ok, err := d.hasMore(); err != nil || !ok {
		_, err = d.next(1)
		return nil, err
	}

	switch code := d.buf[d.pos]; {
	case code&0xe0 == 0xa0, code >= codeStr8 && code <= codeStr32:
		return d.readText()
	case code == codeTrue, code == codeFalse:
		return d.readBool()
	case code == codeExt8, code == codeFixExt4, code == codeFixExt8:
		return d.readTime()
	}

	n, err := d.readNumber()
	switch n.kind {
	case numberFloat:
		return n.float, err
	case numberInt:
		return n.int, err
	}

	return nil, err
}
