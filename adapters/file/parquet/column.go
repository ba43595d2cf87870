package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

// decoder appends the values of a page to dst.
type decoder[V any] func(dst []V, data encoding.Values) []V

// column reads the values of one column of a row group, page by page.
type column[V any] struct {
	spec     columnSpec
	pages    pq.Pages
	decode   decoder[V]
	nullable bool // a null is the zero value of V instead of an error

	values     []V   // of the current page that take has not returned
	err        error // of the page, to return after its values
	buf        []V   // all values of the current page
	dictionary []V   // of the row group; nil before the first use
}

// take returns at least one and at most n of the next values, which are valid until the next call of take. It returns
// io.ErrUnexpectedEOF at the end of the column.
func (c *column[V]) take(n int) ([]V, error) {
	for len(c.values) == 0 {
		if c.err == nil {
			c.err = c.readPage()
		}
		if c.err != nil && len(c.values) == 0 {
			return nil, c.err
		}
	}

	n = min(n, len(c.values))
	taken := c.values[:n]
	c.values = c.values[n:]

	return taken, nil
}

// readPage reads the next page into c.values. If the page contains a null that is an error, c.values ends before it.
func (c *column[V]) readPage() error {
	page, err := c.pages.ReadPage()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}

	defer pq.Release(page)
	c.buf = c.decodePage(c.buf[:0], page)
	nulls := int(page.NumNulls())
	if len(c.buf)+nulls != int(page.NumValues()) {
		return fmt.Errorf("the file is damaged: a page of %d values contains %d", page.NumValues(), len(c.buf)+nulls)
	}

	c.values = c.buf
	if nulls == 0 {
		return nil
	}

	levels := page.DefinitionLevels()
	if !c.nullable {
		for i, level := range levels {
			if level == 0 {
				c.values = c.values[:i]
				return errNull
			}
		}
	}

	c.values = insertNulls(c.values, levels)

	return nil
}

// decodePage appends the values of the page, except nulls.
func (c *column[V]) decodePage(dst []V, page pq.Page) []V {
	data := page.Data()
	dictionary := page.Dictionary()
	if dictionary == nil {
		return c.decode(dst, data)
	}

	for _, i := range data.Int32() {
		if c.dictionary == nil {
			c.dictionary = c.decode(nil, dictionary.Page().Data())
		}
		dst = append(dst, c.dictionary[i])
	}

	return dst
}

// insertNulls returns the values with a zero value inserted wherever the level is 0.
func insertNulls[V any](values []V, levels []byte) []V {
	all := make([]V, len(levels))
	for i, level := range levels {
		if level != 0 {
			all[i], values = values[0], values[1:]
		}
	}

	return all
}

func (c *column[V]) close() error { return c.pages.Close() }

// decodeIntegers decodes integers of 32 or 64 bits.
func decodeIntegers(dst []int64, data encoding.Values) []int64 {
	if data.Kind() == encoding.Int32 {
		for _, v := range data.Int32() {
			dst = append(dst, int64(v))
		}
		return dst
	}

	return append(dst, data.Int64()...)
}

// coefficient is a decimal without its point: a two's complement number of 128 bits.
type coefficient struct {
	hi int64
	lo uint64
}

// decodeCoefficients decodes decimals of any type that scaleOf accepts.
func decodeCoefficients(dst []coefficient, data encoding.Values) []coefficient {
	switch data.Kind() {
	case encoding.Int32:
		for _, v := range data.Int32() {
			dst = append(dst, coefficient{int64(v) >> 63, uint64(v)})
		}
		return dst
	case encoding.Int64:
		for _, v := range data.Int64() {
			dst = append(dst, coefficient{v >> 63, uint64(v)})
		}
		return dst
	}

	bytes, size := data.FixedLenByteArray()
	for ; len(bytes) >= len(number{}) && size == len(number{}); bytes = bytes[size:] {
		dst = append(dst, coefficient{int64(binary.BigEndian.Uint64(bytes)), binary.BigEndian.Uint64(bytes[8:])})
	}
	for ; len(bytes) > 0; bytes = bytes[size:] {
		dst = append(dst, decodeSigned(bytes[:size]))
	}

	return dst
}

// decodeSigned decodes a big-endian two's complement number of at most 16 bytes.
func decodeSigned(b []byte) coefficient {
	var c coefficient
	if b[0] >= 0x80 {
		c = coefficient{-1, ^uint64(0)}
	}
	for _, digit := range b {
		c.hi, c.lo = c.hi<<8|int64(c.lo>>56), c.lo<<8|uint64(digit)
	}

	return c
}

// decodeStrings decodes strings. It does not allocate memory for sides as TickWriter writes them.
func decodeStrings(dst []string, data encoding.Values) []string {
	bytes, offsets := data.ByteArray()
	for i := 1; i < len(offsets); i++ {
		text := bytes[offsets[i-1]:offsets[i]]
		switch string(text) {
		case "buy":
			dst = append(dst, "buy")
		case "sell":
			dst = append(dst, "sell")
		default:
			dst = append(dst, string(text))
		}
	}

	return dst
}
