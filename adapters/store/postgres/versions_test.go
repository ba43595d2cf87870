package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// readState returns the number of rows and the state of a read.
func readState[D ports.Rows](t *testing.T, sequence ports.Sequence[D]) (rows int, state *domain.SeriesState) {
	t.Helper()
	for piece, err := range sequence {
		if err != nil {
			t.Fatal(err)
		}
		if rows += piece.Rows.Len(); piece.State != nil {
			state = piece.State
		}
	}

	if state == nil {
		t.Fatal("a read without a state")
	}

	return rows, state
}

// TestUncoveredRowsCountAsAbsent takes the coverage from bars, which stay in the table, and declares it again.
func TestUncoveredRowsCountAsAbsent(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{DSN: secret.New(dsn)})
	bars := gen.Walk("BTC/USD", 100)
	other := gen.Walk("BTC/USD", 200).Slice(100, 101)
	writeBars(t, s, bars)
	middle := bars.Slice(40, 50)
	if err := exec(t.Context(), dsn,
		fmt.Sprintf(`INSERT INTO marketdata.coverage (symbol_id, series_id, start_time, end_time)
			SELECT symbol_id, series_id, '%s', end_time FROM marketdata.coverage`, middle.Range().End.Format(time.RFC3339)),
		fmt.Sprintf(`UPDATE marketdata.coverage SET end_time = '%s' WHERE start_time < '%[1]s'`,
			middle.Range().Start.Format(time.RFC3339)),
	); err != nil {
		t.Fatal(err)
	}

	writeBars(t, s, other)
	if n, _ := readState(t, s.ReadBars(t.Context(), queryAll(bars))); n != 100 {
		t.Errorf("an append left %d bars", n)
	}
	kept := middle.Slice(0, 3)
	report, err := ports.WriteBars(t.Context(), s, kept, middle.Range(), ports.ConflictReplace)
	if want := (ports.WriteReport{Inserted: 3}); err != nil || report != want {
		t.Errorf("got the report %+v, %v, want %+v", report, err, want)
	}
	n, declared := readState(t, s.ReadBars(t.Context(), queryAll(bars)))
	if last, _ := declared.LastBlock(); n != 93 || last.Rows != 94 || last.Version != declared.Version {
		t.Errorf("%d bars in the state %+v, want 93, and 94 in the block", n, declared)
	}
	if len(declared.Tail) != 1 || len(declared.Coverage) != 1 {
		t.Errorf("got the tail %x and the coverage %v", declared.Tail, declared.Coverage)
	}
}

// TestReplacementsCountExactly loses bars of the first of two blocks, so that the state counts more than there are. A
// replacement of the block with the bars that are left changes no bar, and the count with a new version.
func TestReplacementsCountExactly(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{DSN: secret.New(dsn)})
	bars := gen.Walk("BTC/USD", domain.MaxBlockBars+100)
	layout := domain.BarBlocks(bars.Key().Grid)
	start, end := layout.Bounds(layout.Index(domain.MicrosFloor(bars.OpenTime(0))))
	first := domain.Range{Start: start.Time(), End: end.Time()}
	left := bars.Clip(first)
	left = left.Slice(0, left.Len()-3)
	writeBars(t, s, bars)
	const lose = `DELETE FROM marketdata.bars WHERE open_time >= $1 AND open_time < $2`
	if _, err := connect(t, dsn).Exec(t.Context(), lose, left.Range().End, first.End); err != nil {
		t.Fatal(err)
	}

	_, before := readState(t, s.ReadBars(t.Context(), queryAll(bars)))
	for i, isNew := range []bool{true, false} {
		report, err := s.ReplaceBars(t.Context(), left, first)
		if want := (ports.WriteReport{Unchanged: left.Len()}); err != nil || report != want {
			t.Errorf("replacement %d reports %+v, %v, want %+v", i, report, err, want)
		}

		n, after := readState(t, s.ReadBars(t.Context(), queryAll(bars)))
		if n != bars.Len()-3 || after.Blocks[0].Rows != left.Len() || after.Blocks[1] != before.Blocks[1] {
			t.Errorf("replacement %d left %d bars and the state %+v", i, n, after)
		}
		if (after.Version != before.Version) != isNew || isNew && after.Blocks[0].Version != after.Version {
			t.Errorf("replacement %d changed the state from %+v to %+v", i, before, after)
		}
		before = after
	}

	next := bars.Clip(first)
	next = next.Slice(left.Len(), left.Len()+1)
	if _, err := ports.WriteBars(t.Context(), s, next, next.Range(), ports.ConflictReplace); err != nil { // behind the last bar, which is known
		t.Fatal(err)
	}
	if _, state := readState(t, s.ReadBars(t.Context(), queryAll(left))); len(state.Tail) != 2 {
		t.Errorf("an append left the tail %x", state.Tail)
	}
}

// TestReplacementsCountCutBlocks loses bars, and replaces only those.
func TestReplacementsCountCutBlocks(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{DSN: secret.New(dsn)})
	bars := gen.Walk("BTC/USD", 2*domain.MaxBlockBars)
	lost := bars.Slice(100, domain.MaxBlockBars)
	writeBars(t, s, bars)
	lose := func() {
		const lose = `DELETE FROM marketdata.bars WHERE open_time >= $1 AND open_time < $2`
		if _, err := connect(t, dsn).Exec(t.Context(), lose, lost.Range().Start, lost.Range().End); err != nil {
			t.Fatal(err)
		}
	}
	for _, replacement := range []domain.Series{lost, domain.EmptySeries(bars.Key())} {
		lose()
		report, err := gen.ReplaceOrDelete(t.Context(), s, replacement, lost.Range())
		if want := (ports.WriteReport{Inserted: replacement.Len()}); err != nil || report != want {
			t.Errorf("got the report %+v, %v, want %+v", report, err, want)
		}

		n, state := readState(t, s.ReadBars(t.Context(), queryAll(bars)))
		counted := 0
		for _, b := range state.Blocks {
			counted += b.Rows
		}
		if want := bars.Len() - lost.Len() + replacement.Len(); n != want || counted != want {
			t.Errorf("%d bars in the state %+v, want %d", n, state, want)
		}
	}
}

// TestTicksOfOneInstant proves that the tail of a block of ticks follows their sequence numbers, and that the bars of
// trades have the state of the trades.
func TestTicksOfOneInstant(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	const symbol = "BTC/USD"
	at := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	day := domain.Range{Start: at.Add(-12 * time.Hour), End: at.Add(12 * time.Hour)}
	read := func() *domain.SeriesState {
		_, state := readState(t, s.ReadTrades(t.Context(), ports.TickQuery{Symbol: symbol, Range: day}))
		return state
	}
	one, err := domain.NewDecimal(1, 0)
	if err != nil {
		t.Fatal(err)
	}

	for i, step := range []struct {
		seq  int64
		tail int
	}{{5, 1}, {6, 2}, {9, 3}, {7, 1}, {10, 2}} {
		trades, err := domain.NewTicks(symbol, domain.Trade{Time: at, Seq: step.seq, Price: one, Size: one})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.WriteTrades(t.Context(), trades, day, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		state := read()
		last, _ := state.LastBlock()
		if len(state.Tail) != step.tail || state.Tail[0] != last.Version.Nonce || last.Rows != i+1 {
			t.Errorf("after sequence number %d the state is %+v, want %d nonces", step.seq, state, step.tail)
		}
	}

	bars := s.AggregateTrades(t.Context(), gen.MinuteKey(symbol), day)
	if n, state := readState(t, bars); n != 1 || !reflect.DeepEqual(state, read()) {
		t.Errorf("%d bars with the state %+v", n, state)
	}
	days := domain.SeriesKey{Symbol: symbol, Grid: domain.Day1.UTC()}
	year := func(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC) }
	always := domain.Range{Start: year(2), End: year(9000)}
	if n, state := readState(t, s.AggregateTrades(t.Context(), days, always)); n != 1 || state.Version != read().Version {
		t.Errorf("%d days with the state %+v", n, state)
	}
}

// TestConcurrentWritersOfNewSeries proves that each write of many is one revision, also where all of them find no
// series.
func TestConcurrentWritersOfNewSeries(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	const writers = 8
	bars := gen.Walk("BTC/USD", 10*writers)
	var running sync.WaitGroup
	for i := range writers {
		running.Go(func() {
			part := bars.Slice(10*i, 10*i+10)
			if _, err := ports.WriteBars(t.Context(), s, part, part.Range(), ports.ConflictReplace); err != nil {
				t.Error(err)
			}
		})
	}

	running.Wait()
	n, state := readState(t, s.ReadBars(t.Context(), queryAll(bars)))
	if n != bars.Len() || state.Version.Revision != writers || len(state.Coverage) != 1 {
		t.Errorf("%d bars in the state %+v", n, state)
	}
}

// TestStatesOfABatch proves that a batch yields the state of each query, limited ones too, with the blocks of its bars.
func TestStatesOfABatch(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	bars := gen.Walk("BTC/USD", 20_000)
	writeBars(t, s, bars)
	queries := []ports.BarQuery{
		queryAll(gen.Walk("NO/SUCH", 10)), queryAll(bars), queryAll(bars.Slice(5_000, 5_001)),
		{Key: bars.Key(), Range: bars.Range(), First: 500}, {Key: bars.Key(), Range: bars.Range(), Last: 9_000},
	}
	states := make([]*domain.SeriesState, len(queries))
	for piece, err := range s.ReadBatch(t.Context(), queries) {
		if err != nil {
			t.Fatal(err)
		}
		if piece.State != nil {
			states[piece.Query] = piece.State
		}
	}

	for i, q := range queries {
		if _, want := readState(t, s.ReadBars(t.Context(), q)); !reflect.DeepEqual(states[i], want) {
			t.Errorf("query %d has the state %+v, want %+v", i, states[i], want)
		}
	}
	if all, first, last := len(states[1].Blocks), len(states[3].Blocks), len(states[4].Blocks); first >= all || last >= all {
		t.Errorf("the states have %d, %d and %d blocks", all, first, last)
	}
}

// TestCacheKey proves that the stores of one database get one secret, and those of another get another.
func TestCacheKey(t *testing.T) {
	t.Parallel()
	key := func(dsn string) []byte {
		key, err := open(t, postgres.Config{DSN: secret.New(dsn)}).CacheKey(t.Context())
		if err != nil || len(key) != 32 {
			t.Fatalf("%x, %v", key, err)
		}

		return key
	}
	dsn := migrated.Postgres(t)
	if a, b := key(dsn), key(dsn); !bytes.Equal(a, b) {
		t.Errorf("one database has the keys %x and %x", a, b)
	}

	other := servers.Postgres(t) // no copy of a migrated database, because that has the same key
	if err := openUnmigrated(t, other).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := key(dsn), key(other); bytes.Equal(a, b) {
		t.Errorf("two databases have the key %x", a)
	}
}

// TestSeriesReplacedByARestore gives the id of a series to another one while a writer waits for its lock. The writer
// resolves the series again.
func TestSeriesReplacedByARestore(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{DSN: secret.New(dsn)})
	bars := gen.Walk("BTC/USD", 20)
	writeBars(t, s, bars.Slice(0, 10))
	restore := connect(t, dsn)
	if _, err := restore.Exec(t.Context(), "BEGIN; UPDATE marketdata.series SET uid = uid + 1"); err != nil {
		t.Fatal(err)
	}

	written := make(chan error)
	go func() {
		late := bars.Slice(10, 20)
		_, err := ports.WriteBars(context.WithoutCancel(t.Context()), s, late, late.Range(), ports.ConflictReplace)
		written <- err
	}()
	waitForLock(t, dsn)
	if _, err := restore.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if n, err := countBars(t.Context(), s, queryAll(bars)); n != 20 || err != nil {
		t.Errorf("%d bars, %v", n, err)
	}
}

// waitForLock waits until a session waits for a lock.
func waitForLock(t *testing.T, dsn string) {
	t.Helper()
	conn := connect(t, dsn)
	for range 1_000 {
		var n int
		const waiting = `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`
		if err := conn.QueryRow(t.Context(), waiting).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}

	t.Fatal("nobody waits for a lock")
}

// TestDeadlockIsRepeated makes the server choose the writer as the victim of a deadlock.
func TestDeadlockIsRepeated(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{DSN: secret.New(dsn)})
	bars := gen.Walk("BTC/USD", 20)
	writeBars(t, s, bars.Slice(0, 10))
	other := connect(t, dsn)
	// The session that notices a deadlock gives up, which here only the writer does in time.
	const lock = "SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE marketdata.bars"
	if _, err := other.Exec(t.Context(), lock); err != nil {
		t.Fatal(err)
	}

	written := make(chan error)
	go func() { // it locks the series and waits for the bars
		late := bars.Slice(10, 20)
		_, err := ports.WriteBars(context.WithoutCancel(t.Context()), s, late, late.Range(), ports.ConflictReplace)
		written <- err
	}()
	waitForLock(t, dsn)
	if _, err := other.Exec(t.Context(), "LOCK TABLE marketdata.series; COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(fmt.Errorf("the write was not repeated: %w", err))
	}
	if n, err := countBars(t.Context(), s, queryAll(bars)); n != 20 || err != nil {
		t.Errorf("%d bars, %v", n, err)
	}
}
