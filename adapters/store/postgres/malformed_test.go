package postgres

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/ports"
)

// cutRow is a row with fewer values than columns.
type cutRow struct{ pgx.CollectableRow }

// FieldDescriptions returns two columns.
func (cutRow) FieldDescriptions() []pgconn.FieldDescription {
	return make([]pgconn.FieldDescription, 2)
}

// RawValues returns one value.
func (cutRow) RawValues() [][]byte { return [][]byte{{1}} }

// TestMalformedAnswers proves that an answer that cannot be decoded is an error about the answer, and not about this
// program.
func TestMalformedAnswers(t *testing.T) {
	t.Parallel()
	_, err := rawValues(cutRow{})
	if !errors.Is(err, errRow) {
		t.Errorf("a row without some of its values: %v", err)
	}
	for _, cause := range []error{errRow, errInt, errTime, errArray, errNumericFormat, errBatchOrder,
		errors.New("DataRow body is invalid ")} {
		if err := translate(context.Background(), "read", "", cause); !errors.Is(err, ports.ErrIncomplete) {
			t.Errorf("%v is %v", cause, err)
		}
	}
}
