package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/domain"
)

// The binary protocol counts time in microseconds since 2000-01-01 UTC. The two ends of its range are infinities.
const (
	epochMicros      = 946_684_800_000_000 // 2000-01-01 in microseconds since 1970
	negativeInfinity = math.MinInt64
	positiveInfinity = math.MaxInt64
)

var (
	errNull = errors.New("NULL")

	errRow   error = malformedError("a row does not have the columns of its description")
	errInt   error = malformedError("not a binary integer")
	errTime  error = malformedError("not a binary timestamp")
	errArray error = malformedError("not a binary array of integers")
)

// malformedError says what bytes in an answer should have been. No server sends such bytes, so the network changed
// them.
type malformedError string

// Error returns the text.
func (e malformedError) Error() string { return string(e) }

// rawValues returns the values of the current row, one for each column of its description.
func rawValues(row pgx.CollectableRow) ([][]byte, error) {
	values := row.RawValues()
	if len(values) != len(row.FieldDescriptions()) {
		return nil, errRow
	}

	return values, nil
}

// decodeInt64 decodes a bigint.
func decodeInt64(b []byte) (int64, error) {
	if len(b) != 8 {
		return 0, errInt
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// decodeTime decodes a timestamptz. An infinity is errNotFinite.
func decodeTime(b []byte) (domain.Micros, error) {
	if len(b) != 8 {
		return 0, errTime
	}

	t := int64(binary.BigEndian.Uint64(b))
	if t == negativeInfinity || t > positiveInfinity-epochMicros {
		return 0, errNotFinite
	}

	return domain.Micros(t + epochMicros), nil
}

// decodeInt64s decodes an array of bigint or of timestamptz, which count from 2000, with any number of dimensions. NULL
// is no element.
func decodeInt64s(b []byte) ([]int64, error) {
	const header, dimension, element = 12, 8, 12 // element includes its length
	if b == nil {
		return nil, nil
	}
	if len(b) < header {
		return nil, errArray
	}

	elements := int64(header) + dimension*int64(binary.BigEndian.Uint32(b)) // their offset
	if elements > int64(len(b)) || (int64(len(b))-elements)%element != 0 {
		return nil, errArray
	}

	numbers := make([]int64, 0, (len(b)-int(elements))/element)
	for e := range slices.Chunk(b[elements:], element) {
		if binary.BigEndian.Uint32(e) != 8 {
			return nil, errArray
		}
		numbers = append(numbers, int64(binary.BigEndian.Uint64(e[4:])))
	}

	return numbers, nil
}

// appendInt64 appends a bigint as a field of COPY: its length, then its bytes. The other append functions do the same
// for their types.
func appendInt64(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(n))
}

func appendTime(b []byte, t domain.Micros) []byte { return appendInt64(b, int64(t-epochMicros)) }

func appendInt32(b []byte, n int32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, 4), uint32(n))
}

func appendInt16(b []byte, n int16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(b, 2), uint16(n))
}

// schemaError reports a column or a table that is not as this store created it, such as a view with another type.
type schemaError struct{ subject, got, want string }

// Error names the column or table, its state and the required one.
func (e *schemaError) Error() string {
	return fmt.Sprintf("%s is %s, must be %s", e.subject, e.got, e.want)
}

// checkColumns refuses result columns that do not have the given types or are not in the binary format, with a
// *schemaError.
func checkColumns(fields []pgconn.FieldDescription, want ...uint32) error {
	if len(fields) != len(want) {
		return &schemaError{"the number of columns", strconv.Itoa(len(fields)), strconv.Itoa(len(want))}
	}

	for i, f := range fields {
		if f.DataTypeOID != want[i] {
			return &schemaError{"column " + f.Name,
				fmt.Sprintf("of type OID %d", f.DataTypeOID), fmt.Sprintf("of type OID %d", want[i])}
		}
		if f.Format != pgtype.BinaryFormatCode {
			return &schemaError{"column " + f.Name, "in text format", "in binary format"}
		}
	}

	return nil
}

const (
	copyHeader  = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // signature, no flags, no extension
	copyTrailer = "\xff\xff"
	copyBytes   = 64 << 10 // of rows that are encoded at once
)

// copyStream encodes rows in the format that COPY ... FROM STDIN (FORMAT binary) reads. It implements io.Reader.
type copyStream struct {
	rows      int
	fields    uint16                         // per row
	appendRow func(b []byte, row int) []byte // appends the fields of a row, each with its length

	next   int    // row
	done   bool   // the trailer is in buf
	buf    []byte // encoded rows
	unread []byte // the rest of buf
}

func newCopyStream(rows int, fields uint16, appendRow func(b []byte, row int) []byte) *copyStream {
	s := &copyStream{rows: rows, fields: fields, appendRow: appendRow}
	s.buf = append(make([]byte, 0, min(copyBytes, 256*(rows+1))+512), copyHeader...)
	s.unread = s.buf
	return s
}

// Read implements io.Reader.
func (s *copyStream) Read(p []byte) (int, error) {
	if len(s.unread) == 0 {
		if s.done {
			return 0, io.EOF
		}

		b := s.buf[:0]
		for ; s.next < s.rows && len(b) < copyBytes; s.next++ {
			b = s.appendRow(binary.BigEndian.AppendUint16(b, s.fields), s.next)
		}
		if s.next == s.rows {
			b, s.done = append(b, copyTrailer...), true
		}
		s.buf, s.unread = b, b
	}

	n := copy(p, s.unread)
	s.unread = s.unread[n:]

	return n, nil
}

// pieceBars is the largest number of bars in a piece of a result: large enough that the cost of a piece is negligible,
// small enough that the first piece arrives soon.
const pieceBars = 8192

// barTypes are the types of the columns that a read of bars returns.
var barTypes = [...]uint32{
	pgtype.TimestamptzOID,
	pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID, pgtype.NumericOID,
	pgtype.Int8OID,
}

// errPieceEnds is the result of decoder.add for a row that must begin the next piece: take the piece, then add the row
// again.
var errPieceEnds = errors.New("the piece ends before this row")

// barDecoder decodes rows into pieces of a Series.
//
// INVARIANT: the scales of a piece do not change once it has a bar, and never fall from piece to piece. A number that
// needs a larger scale ends the piece, so that no number is ever rescaled.
type barDecoder struct {
	key         domain.SeriesKey
	capacity    int            // bars to allocate for a piece, at most pieceBars
	bars        domain.Columns // the current piece
	previous    domain.Micros  // open time of the last bar of the previous piece
	hasPrevious bool

	isStored   bool // the rows are those of marketdata.bars
	reports    bool // unreadable bars are left out
	unreadable []*domain.RuleError
}

func (d *barDecoder) columns() []uint32 { return barTypes[:] }

func (d *barDecoder) len() int { return len(d.bars.OpenMicros) }

func (d *barDecoder) empty() domain.Series { return domain.EmptySeries(d.key) }

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
	if broken, ok := errors.AsType[*domain.RuleError](err); ok && d.isStored {
		return d.leaveOut(broken)
	}

	return err
}

// leaveOut keeps the rule that a stored bar breaks, or returns it as an error that tells how to go on.
func (d *barDecoder) leaveOut(broken *domain.RuleError) error {
	if d.reports {
		d.unreadable = append(d.unreadable, broken)
		return nil
	}

	return fmt.Errorf("%w; request with quality drop or flag to leave such bars out, or correct the row: %s", broken,
		findBar(d.key.Symbol, broken.At))
}

// takeUnreadable returns the bars that were left out since the last call.
func (d *barDecoder) takeUnreadable() []*domain.RuleError {
	taken := d.unreadable
	d.unreadable = nil

	return taken
}

// decode appends the row to the piece. It returns errScaleTooSmall, and appends nothing, if the row needs larger
// scales.
func (d *barDecoder) decode(row [][]byte) error {
	c := &d.bars
	openTime, err := decodeTime(row[0])
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
			return d.fieldError(field, openTime, domain.Field(i).String(), err)
		}
	}

	trades, err := decodeInt64(row[6])
	if err != nil {
		return d.fieldError(row[6], openTime, "trades", err)
	}
	if trades < 0 {
		return &domain.RuleError{Rule: domain.RuleNegativeTradeCount, Key: d.key, At: openTime.Time(),
			Detail: fmt.Sprintf("trades is %d, below 0", trades)}
	}

	if c.OpenMicros == nil {
		d.allocate()
	}
	c.OpenMicros = append(c.OpenMicros, int64(openTime))
	for i, column := range [...]*domain.Column{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume} {
		appendWide(column, values[i].hi, values[i].lo)
	}
	c.Trades = append(c.Trades, trades)

	return nil
}

// raiseScales makes the scales large enough for the row. The piece must be empty.
func (d *barDecoder) raiseScales(row [][]byte) error {
	c := &d.bars
	for i := range 5 {
		needed, err := numericScale(row[1+i])
		if err != nil {
			openTime, _ := decodeTime(row[0]) // decode has checked it
			return d.fieldError(row[1+i], openTime, domain.Field(i).String(), err)
		}

		scale := &c.PriceScale
		if i == int(domain.FieldVolume) {
			scale = &c.VolumeScale
		}
		*scale = max(*scale, needed)
	}

	return nil
}

// allocate makes the columns of an empty piece.
func (d *barDecoder) allocate() {
	c := &d.bars
	c.OpenMicros, c.Trades = make([]int64, 0, d.capacity), make([]int64, 0, d.capacity)
	for _, column := range [...]*domain.Column{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume} {
		column.Lo = make([]int64, 0, d.capacity)
	}
}

// take returns the current piece and begins an empty one with the same scales. Bars that do not ascend from piece to
// piece are a *domain.RuleError; within a piece, domain.NewSeriesFromColumns checks it.
func (d *barDecoder) take() (domain.Series, error) {
	piece := d.bars
	d.bars = domain.Columns{PriceScale: piece.PriceScale, VolumeScale: piece.VolumeScale}
	if first := domain.Micros(piece.OpenMicros[0]); d.hasPrevious && first <= d.previous {
		rule := domain.RuleOutOfOrder
		if first == d.previous {
			rule = domain.RuleDuplicate
		}

		return domain.Series{}, &domain.RuleError{Rule: rule, Key: d.key, At: first.Time(),
			Detail: "rows are not in ascending order"}
	}

	d.previous, d.hasPrevious = domain.Micros(piece.OpenMicros[len(piece.OpenMicros)-1]), true

	return domain.NewSeriesFromColumns(d.key, piece)
}

// fieldError returns the rule that a field's value breaks as a *domain.RuleError; or err, if the bytes are not a value
// of the field's type. field is nil for NULL.
func (d *barDecoder) fieldError(field []byte, at domain.Micros, name string, err error) error {
	rule, detail := brokenRule(field, name, err)
	if rule == "" {
		return fmt.Errorf("%s: %w", name, err)
	}

	return &domain.RuleError{Rule: rule, Key: d.key, At: at.Time(), Detail: detail}
}

// brokenRule returns the rule that the value of a field breaks, given the error of its decoder, and a sentence about it
// with the name of the column and the value. The rule is empty if the bytes are not a value of the field's type.
func brokenRule(field []byte, name string, err error) (rule domain.Rule, detail string) {
	switch {
	case field == nil:
		return domain.RuleIncomplete, name + " is " + errNull.Error()
	case errors.Is(err, errNotFinite), errors.Is(err, errTooManyDigits):
		return domain.RuleNotFinite, name + " is " + err.Error()
	}

	return "", ""
}

// appendWide appends hi<<64|lo to the column. It adds high words to the column when the first number needs them.
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

// appendBar appends bar i as fields of COPY in the order of barTypes.
func appendBar(b []byte, c *domain.Columns, i int) []byte {
	b = appendTime(b, domain.Micros(c.OpenMicros[i]))
	for _, column := range [...]*domain.Column{&c.Open, &c.High, &c.Low, &c.Close} {
		b = appendColumnValue(b, column, i, c.PriceScale)
	}
	b = appendColumnValue(b, &c.Volume, i, c.VolumeScale)

	return appendInt64(b, c.Trades[i])
}

// appendColumnValue appends value i of the column as a field of COPY.
func appendColumnValue(b []byte, c *domain.Column, i int, scale uint8) []byte {
	lo := c.Lo[i]
	hi := lo >> 63
	if c.Hi != nil {
		hi = c.Hi[i]
	}

	return appendNumeric(b, hi, lo, scale)
}
