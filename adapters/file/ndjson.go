package file

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

var errSomeSeq = fmt.Errorf("%s: some rows have it and some do not; number all rows or none", ColumnSeq)

// objects makes cells of rows that are JSON objects: a cell for each field of a schema, in its order, and a last one
// for the symbol.
type objects struct {
	schema schema
	names  []string // of the fields, in the order of the cells

	// hasSeq is true if the rows have sequence numbers: all of them, or none. The first row determines it.
	hasSeq, started bool

	hasReason bool // the rows have the field ColumnReason

	members []member // scratch
}

// readObjects makes the table read JSON objects. Columns have the names that the user configured, or their own.
func (t *table) readObjects(s schema, names map[string]string) error {
	fields := append(slices.Clone(s.columns), columnSymbol)
	if err := checkColumns(names, s); err != nil {
		return err
	}

	t.layout = layout{cells: len(fields), symbol: len(s.columns)}
	for i, column := range s.columns {
		t.layout.columns = append(t.layout.columns, i)
		if name, found := names[column]; found {
			fields[i] = name
		}
	}
	t.rows.objects = &objects{schema: s, names: fields}

	return nil
}

// isWithoutSeq reports whether o, which may be nil, has read rows without sequence numbers.
func (o *objects) isWithoutSeq() bool { return o != nil && o.started && !o.hasSeq }

// split appends the cells of the object. A field that is absent or null has a nil cell. After an error about a field,
// the other cells are valid. The cells may share the memory of the line.
func (o *objects) split(line []byte, cells [][]byte) ([][]byte, error) {
	var err error
	if o.members, err = appendMembers(o.members[:0], line); err != nil {
		return nil, err
	}

	cells = slices.Grow(cells, len(o.names))[:len(o.names)]
	clear(cells)
	seen := 0 // a bit for each cell
	for _, m := range o.members {
		if string(m.name) == ColumnReason {
			o.hasReason = true
			continue
		}

		i := slices.IndexFunc(o.names, func(name string) bool { return string(m.name) == name })
		var fieldErr error
		switch {
		case i < 0:
			fieldErr = fmt.Errorf("unknown field %.40q; the fields of %s are %s",
				m.name, o.schema.kind, strings.Join(o.names, ", "))
		case seen&(1<<i) != 0:
			fieldErr = fmt.Errorf("the field %q is there twice", m.name)
		default:
			seen |= 1 << i
			cells[i], fieldErr = m.cell()
		}

		err = cmp.Or(err, fieldErr)
	}

	return cells, cmp.Or(err, o.checkAbsent(cells))
}

// checkAbsent returns an error if a cell is absent that is not optional.
func (o *objects) checkAbsent(cells [][]byte) error {
	for i, column := range o.schema.columns {
		if cells[i] == nil && !slices.Contains(o.schema.optional, column) {
			return fmt.Errorf("the field %q is missing or null", o.names[i])
		}
	}
	if o.schema.columns[seqColumn] != ColumnSeq {
		return nil
	}

	hasSeq := cells[seqColumn] != nil
	if o.started && hasSeq != o.hasSeq {
		return errSomeSeq
	}
	o.started, o.hasSeq = true, hasSeq

	return nil
}

// member is a member of a JSON object, with its value as JSON.
type member struct{ name, value []byte }

// cell returns the text of a string or number; nil for null.
func (m member) cell() ([]byte, error) {
	switch m.value[0] {
	case '"':
		return unquote(m.value), nil
	case 'n':
		return nil, nil
	case 't', 'f', '{', '[':
		return nil, fmt.Errorf("%s: %.40s is neither a string nor a number", m.name, m.value)
	}

	return m.value, nil
}

// appendMembers appends the members of the object in the line, in their order.
func appendMembers(members []member, line []byte) ([]member, error) {
	rest := trimBlanks(line)
	if len(rest) > 0 && rest[0] != '{' {
		return nil, fmt.Errorf("the line is not a JSON object: %.40s", rest)
	}
	if !json.Valid(line) {
		var value any
		return nil, fmt.Errorf("the line is not a JSON object: %w", json.Unmarshal(line, &value))
	}

	for rest = trimBlanks(rest[1:]); rest[0] != '}'; {
		name, afterName := cutValue(rest)
		value, afterValue := cutValue(trimBlanks(trimBlanks(afterName)[1:])) // without the colon
		members = append(members, member{unquote(name), value})

		rest = trimBlanks(afterValue)
		if rest[0] == ',' {
			rest = trimBlanks(rest[1:])
		}
	}

	return members, nil
}

// trimBlanks removes white space of JSON in front of the text.
func trimBlanks(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n") }

// cutValue returns the first value of valid JSON, and the text after it.
func cutValue(text []byte) (value, rest []byte) {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
			if !inString && depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case inString:
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			if depth--; depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case depth == 0 && strings.IndexByte(",}] \t\r\n", c) >= 0: // the end of a number, true, false or null
			return text[:i], text[i:]
		}
	}

	return text, nil
}

// unquote returns the text of a valid JSON string, which is not nil.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}

	var text string
	_ = json.Unmarshal(quoted, &text) // it is valid

	return []byte(text)
}
