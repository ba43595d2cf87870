package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
)

// errNull says that a row lacks a value that it needs.
var errNull = errors.New("null")

// decoder appends the values of a page.
type decoder[V any] func(into []V, data encoding.Values) []V

// column reads the values of one column of a row group, page by page.
type column[V any] struct {
	spec

	pages    pq.Pages
	decode   decoder[V]
	nullable bool // a null is V's zero value, and not an error

	values     []V   // of the current page, not yet taken
	fault      error // what comes behind them, other than the next page
	buffer     []V   // of the current page, all
	dictionary []V   // of the row group; nil before it is needed
}

// take returns at least one and at most n of the next values, which are good until the next take. The end is
// io.ErrUnexpectedEOF.
func (c *column[V]) take(n int) ([]V, error) {
	for len(c.values) == 0 {
		if c.fault == nil {
			c.fault = c.nextPage()
		}
		if c.fault != nil && len(c.values) == 0 {
			return nil, c.fault
		}
	}

	n = min(n, len(c.values))
	taken := c.values[:n]
	c.values = c.values[n:]
	return taken, nil
}

// nextPage reads the next page into c.values and reports what ends them early.
func (c *column[V]) nextPage() error {
	page, err := c.pages.ReadPage()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}

	defer pq.Release(page)
	c.buffer = c.decoded(c.buffer[:0], page)
	nulls := int(page.NumNulls())
	if len(c.buffer)+nulls != int(page.NumValues()) {
		return fmt.Errorf("the file is damaged: a page of %d values holds %d", page.NumValues(), len(c.buffer)+nulls)
	}

	c.values = c.buffer
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

	c.values = spread(c.values, levels)
	return nil
}

// decoded appends the page's values, without the nulls.
func (c *column[V]) decoded(into []V, page pq.Page) []V {
	data := page.Data()
	dictionary := page.Dictionary()
	if dictionary == nil {
		return c.decode(into, data)
	}

	for _, i := range data.Int32() {
		if c.dictionary == nil {
			c.dictionary = c.decode(nil, dictionary.Page().Data())
		}
		into = append(into, c.dictionary[i])
	}

	return into
}

// spread puts the values where the level is not 0, and zero values elsewhere.
func spread[V any](values []V, levels []byte) []V {
	all := make([]V, len(levels))
	for i, level := range levels {
		if level != 0 {
			all[i], values = values[0], values[1:]
		}
	}

	return all
}

func (c *column[V]) close() error { return c.pages.Close() }

// decodeIntegers reads integers of any width.
func decodeIntegers(into []int64, data encoding.Values) []int64 {
	if data.Kind() == encoding.Int32 {
		for _, v := range data.Int32() {
			into = append(into, int64(v))
		}
		return into
	}
	return append(into, data.Int64()...)
}

// coefficient is a decimal without its point: 128 bits, two's complement.
type coefficient struct {
	hi int64
	lo uint64
}

// decodeCoefficients reads decimals of any form that scaleOf takes.
func decodeCoefficients(into []coefficient, data encoding.Values) []coefficient {
	switch data.Kind() {
	case encoding.Int32:
		for _, v := range data.Int32() {
			into = append(into, coefficient{int64(v) >> 63, uint64(v)})
		}
		return into
	case encoding.Int64:
		for _, v := range data.Int64() {
			into = append(into, coefficient{v >> 63, uint64(v)})
		}
		return into
	}

	bytes, size := data.FixedLenByteArray()
	for ; len(bytes) >= len(number{}) && size == len(number{}); bytes = bytes[size:] {
		into = append(into, coefficient{int64(binary.BigEndian.Uint64(bytes)), binary.BigEndian.Uint64(bytes[8:])})
	}
	for ; len(bytes) > 0; bytes = bytes[size:] {
		into = append(into, signExtended(bytes[:size]))
	}

	return into
}

// signExtended is a big-endian two's complement number of at most 16 bytes.
func signExtended(b []byte) coefficient {
	var c coefficient
	if b[0] >= 0x80 {
		c = coefficient{-1, ^uint64(0)}
	}
	for _, digit := range b {
		c.hi, c.lo = c.hi<<8|int64(c.lo>>56), c.lo<<8|uint64(digit)
	}

	return c
}

// decodeWords reads texts, and makes no new one of a side as we write it.
func decodeWords(into []string, data encoding.Values) []string {
	text, offsets := data.ByteArray()
	for i := 1; i < len(offsets); i++ {
		word := text[offsets[i-1]:offsets[i]]
		switch string(word) {
		case "buy":
			into = append(into, "buy")
		case "sell":
			into = append(into, "sell")
		default:
			into = append(into, string(word))
		}
	}

	return into
}
