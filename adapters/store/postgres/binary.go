package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/domain"
)

// The binary protocol counts time in microseconds since 2000-01-01 UTC; the two ends of its range are infinities.
const (
	epoch            = 946_684_800_000_000 // 2000-01-01 in microseconds since 1970
	negativeInfinity = math.MinInt64
	positiveInfinity = math.MaxInt64
)

var (
	errInt  = errors.New("not the binary form of an integer")
	errTime = errors.New("not the binary form of a time")
	errNull = errors.New("no value")
)

func decodeInt64(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, errInt
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// decodeTime is microseconds since 1970.
func decodeTime(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, errTime
	}

	t := int64(binary.BigEndian.Uint64(b))
	if t == negativeInfinity || t > positiveInfinity-epoch {
		return 0, errNotFinite
	}

	return t + epoch, nil
}

// appendInt64 and appendTime append a field with its length, as COPY wants it.
func appendInt64(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(n))
}

func appendTime(b []byte, micros int64) []byte { return appendInt64(b, micros-epoch) }

func appendInt32(b []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 4), uint32(n))
}

func appendText(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

func appendInt16(b []byte, n int16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(b, 2), uint16(n))
}

// shapeError says that a column is not what the decoders expect, which only happens where the tables are not ours.
type schemaError struct{ column, got, want string }

func (e *schemaError) Error() string {
	return fmt.Sprintf("column %s is %s, and has to be %s", e.column, e.got, e.want)
}

// checkShape wants the answer's columns to be of the types, in binary.
func checkColumns(fields []pgconn.FieldDescription, want ...uint32) error {
	if len(fields) != len(want) {
		return &schemaError{"count", fmt.Sprint(len(fields)), fmt.Sprint(len(want))}
	}

	for i, f := range fields {
		if f.DataTypeOID != want[i] {
			return &schemaError{f.Name, fmt.Sprintf("of type %d", f.DataTypeOID), fmt.Sprintf("of type %d", want[i])}
		}
		if f.Format != pgtype.BinaryFormatCode {
			return &schemaError{f.Name, "sent as text", "sent in binary"}
		}
	}

	return nil
}

const (
	copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // signature, no flags, no extension
	copyEnd    = "\xff\xff"
	copyChunk  = 64 << 10
)

// copyStream is rows in the form that COPY ... FROM STDIN (FORMAT binary) reads.
type copyStream struct {
	rows      int
	fields    uint16
	appendRow func(b []byte, row int) []byte // appends the row's fields, each with its length

	next   int
	done   bool
	buffer []byte
	unread []byte
}

func newCopyStream(rows int, fields uint16, appendRow func(b []byte, row int) []byte) *copyStream {
	s := &copyStream{rows: rows, fields: fields, appendRow: appendRow}
	s.buffer = append(make([]byte, 0, min(copyChunk, 256*(rows+1))+512), copyHeader...)
	s.unread = s.buffer
	return s
}

// Read implements io.Reader.
func (s *copyStream) Read(p []byte) (int, error) {
	if len(s.unread) == 0 {
		if s.done {
			return 0, io.EOF
		}

		b := s.buffer[:0]
		for ; s.next < s.rows && len(b) < copyChunk; s.next++ {
			b = s.appendRow(binary.BigEndian.AppendUint16(b, s.fields), s.next)
		}
		if s.next == s.rows {
			b, s.done = append(b, copyEnd...), true
		}
		s.buffer, s.unread = b, b
	}

	n := copy(p, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

// pieceBars is how many bars a piece of an answer has at most: enough that its own cost vanishes, few enough to come soon.
const pieceBars = 8192

// barTypes are the types of the columns that a read of bars gives.
var barTypes = [...]uint32{
	pgtype.TimestamptzOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.Int8OID,
}

// errPieceEnds is a decoder's answer to a row that begins the next piece: take the piece, and add the row again.
var errPieceEnds = errors.New("the piece ends before this row")

// barDecoder turns rows into pieces of a Series. Its scales only rise: a number that needs a larger one ends the piece,
// so that no number is ever written twice.
type barDecoder struct {
	key         domain.SeriesKey
	capacity    int // bars a piece is made for, at most pieceBars
	bars        domain.Columns
	previous    int64 // open time of the last bar of the piece before
	hasPrevious bool  // there is a piece before
}

func (d *barDecoder) columns() []uint32 { return barTypes[:] }

func (d *barDecoder) len() int { return len(d.bars.OpenMicros) }

func (d *barDecoder) add(row [][]byte) error {
	if d.len() == pieceBars {
		return errPieceEnds
	}

	err := d.decode(row)
	if errors.Is(err, errScaleTooSmall) {
		if d.len() > 0 {
			return errPieceEnds
		}
		if err = d.raiseScales(row); err == nil {
			err = d.decode(row)
		}
	}

	return err
}

// decode appends the row; errNumericScale says that it needs larger scales, and that nothing was appended.
func (d *barDecoder) decode(row [][]byte) error {
	c := &d.bars
	at, err := decodeTime(row[0])
	if err != nil {
		return d.fieldError(row[0], 0, "open time", err)
	}

	var values [5]struct{ hi, lo int64 }
	for i := range values {
		field, scale := row[1+i], c.PriceScale
		if i == int(domain.FieldVolume) {
			scale = c.VolumeScale
		}
		if values[i].hi, values[i].lo, err = decodeNumeric(field, scale); err != nil {
			if errors.Is(err, errScaleTooSmall) {
				return err
			}
			return d.fieldError(field, at, domain.Field(i).String(), err)
		}
	}

	trades, err := decodeInt64(row[6])
	if err != nil {
		return d.fieldError(row[6], at, "trades", err)
	}

	if c.OpenMicros == nil {
		d.allocate()
	}
	c.OpenMicros = append(c.OpenMicros, at)
	for i, column := range [...]*domain.Column{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume} {
		appendWide(column, values[i].hi, values[i].lo)
	}
	c.Trades = append(c.Trades, trades)

	return nil
}

// raise makes the scales large enough for the row.
func (d *barDecoder) raiseScales(row [][]byte) error {
	c := &d.bars
	for i := range 5 {
		needed, err := numericScale(row[1+i])
		if err != nil {
			at, _ := decodeTime(row[0]) // it was decoded before
			return d.fieldError(row[1+i], at, domain.Field(i).String(), err)
		}

		scale := &c.PriceScale
		if i == int(domain.FieldVolume) {
			scale = &c.VolumeScale
		}
		*scale = max(*scale, needed)
	}

	return nil
}

func (d *barDecoder) allocate() {
	c := &d.bars
	c.OpenMicros, c.Trades = make([]int64, 0, d.capacity), make([]int64, 0, d.capacity)
	for _, column := range [...]*domain.Column{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume} {
		column.Lo = make([]int64, 0, d.capacity)
	}
}

// take is the piece decoded so far; the next begins empty, with the same scales.
func (d *barDecoder) take() (domain.Series, error) {
	piece := d.bars
	d.bars = domain.Columns{PriceScale: piece.PriceScale, VolumeScale: piece.VolumeScale}
	if d.hasPrevious && piece.OpenMicros[0] <= d.previous { // within a piece, the Series sees to it
		rule := domain.RuleOutOfOrder
		if piece.OpenMicros[0] == d.previous {
			rule = domain.RuleDuplicate
		}
		return domain.Series{}, &domain.RuleError{Rule: rule, Key: d.key, At: time.UnixMicro(piece.OpenMicros[0]).UTC(),
			Detail: "the store's rows do not ascend"}
	}

	d.previous, d.hasPrevious = piece.OpenMicros[len(piece.OpenMicros)-1], true
	return domain.NewSeriesFromColumns(d.key, piece)
}

// broken is the rule that a field breaks, or, where its bytes are no value at all, the error itself.
func (d *barDecoder) fieldError(field []byte, micros int64, name string, err error) error {
	rule := domain.RuleNotFinite
	switch {
	case field == nil:
		rule, err = domain.RuleIncomplete, errNull
	case !errors.Is(err, errNotFinite) && !errors.Is(err, errTooManyDigits):
		return fmt.Errorf("%s: %w", name, err)
	}

	return &domain.RuleError{Rule: rule, Key: d.key, At: time.UnixMicro(micros).UTC(), Detail: name + ": " + err.Error()}
}

// appendWide adds hi<<64|lo, giving the column high words when the first number needs them.
func appendWide(c *domain.Column, hi, lo int64) {
	if c.Hi == nil && hi != lo>>63 {
		c.Hi = make([]int64, len(c.Lo), cap(c.Lo))
		for i, v := range c.Lo {
			c.Hi[i] = v >> 63
		}
	}

	c.Lo = append(c.Lo, lo)
	if c.Hi != nil {
		c.Hi = append(c.Hi, hi)
	}
}

// appendBar appends bar i of the columns as fields in the order of barTypes.
func appendBar(b []byte, c *domain.Columns, i int) []byte {
	b = appendTime(b, c.OpenMicros[i])
	for _, column := range [...]*domain.Column{&c.Open, &c.High, &c.Low, &c.Close} {
		b = appendColumnValue(b, column, i, c.PriceScale)
	}
	b = appendColumnValue(b, &c.Volume, i, c.VolumeScale)

	return appendInt64(b, c.Trades[i])
}

func appendColumnValue(b []byte, c *domain.Column, i int, scale uint8) []byte {
	lo := c.Lo[i]
	hi := lo >> 63
	if c.Hi != nil {
		hi = c.Hi[i]
	}

	return appendNumeric(b, hi, lo, scale)
}
