package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Changes of many series, on one connection of the pool:
//
//	create partitions, find the series         where they are not known: one round trip, a transaction of its own
//	add the symbols and the series             where there are none, in a transaction of their own
//	BEGIN                                      one round trip
//	    lock the series that are free          in the order of their numbers
//	    read coverage and blocks
//	    operation.apply                        changes rows beside the records
//	    coverage, blocks, revision and nonce   one round trip, with COMMIT
//	COMMIT, or ROLLBACK if nothing changed
//
// The series that another transaction has locked follow in a second transaction, which waits for them. The first
// commits before the second waits, so that no writer waits for a writer that waits. If the wait takes too long, a third
// transaction changes the series that are free by then.
//
// INVARIANT: rows, coverage, blocks and intents of a series change only under the lock of the series, in one
// transaction.

// operation is the change that a transaction makes to series that it has locked.
type operation[C recorded] interface {
	// partitions returns the table that gets rows, and the starts of its partitions that get them.
	partitions(changes []C) (table string, starts []time.Time)

	// read returns the statements that read more of the series than coverage and blocks.
	read(changes []C) []step

	// apply returns the statements that end the transaction, beside those that store the records. An error of one change
	// alone goes to its record, and then nothing of its series may change.
	apply(ctx context.Context, db session, changes []C) ([]step, error)
}

// maxAttempts is how often a transaction is run that loses against another one.
const maxAttempts = 3

// lockTimeout is how long a writer waits for the series that others have locked.
const lockTimeout = 10 * time.Second

// changeSeries runs an operation. The record of each change gets its error.
func changeSeries[C recorded](ctx context.Context, s *Store, op operation[C], changes []C) {
	for range maxAttempts {
		changes, _ = transact(ctx, s, op, changes, 0)
		busy, isTimeout := transact(ctx, s, op, changes, min(s.lockTimeout, s.cfg.StatementTimeout))
		if isTimeout {
			busy, _ = transact(ctx, s, op, busy, 0)
			setError(busy, &limitError{ports.ErrOverloaded, ports.PhaseQuery, fmt.Errorf(
				"another transaction had locked the series for %s", s.lockTimeout)})

			return
		}
		changes = busy // the series do not exist any more
	}

	setError(changes, errSeriesReplaced)
}

func setError[C recorded](changes []C, err error) {
	for _, c := range changes {
		c.base().err = err
	}
}

// transact runs one transaction, up to maxAttempts times. It waits so long for locked series, or not at all. It returns
// the changes of series that it did not get: all of them after a timeout.
func transact[C recorded](
	ctx context.Context, s *Store, op operation[C], changes []C, wait time.Duration,
) (left []C, isTimeout bool) {
	if len(changes) == 0 {
		return nil, false
	}

	var err error
	for attempt := 1; ; attempt++ {
		if left, err = tryTransact(ctx, s, op, changes, wait); err == nil {
			return left, false
		}
		if hasNoPartition(err) {
			s.lookups.forgetPartitions()
		} else if !isRepeatable(err) {
			break
		}
		if attempt == maxAttempts || !sleep(ctx, rand.N(10*time.Millisecond<<attempt)) {
			break
		}
	}
	if errors.Is(err, errLockTimeout) {
		return changes, true
	}

	setError(changes, err)

	return nil, false
}

// hasNoPartition reports whether a row has no partition. One may have been dropped since it was known.
func hasNoPartition(err error) bool {
	const checkViolation = "23514"
	server, ok := errors.AsType[*pgconn.PgError](err)

	return ok && server.Code == checkViolation
}

// isRepeatable reports whether the transaction was rolled back because of another one, so that it may succeed when it
// runs again.
func isRepeatable(err error) bool {
	const serializationFailure, deadlockDetected = "40001", "40P01"
	server, ok := errors.AsType[*pgconn.PgError](err)

	return ok && (server.Code == serializationFailure || server.Code == deadlockDetected)
}

// sleep waits, and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func tryTransact[C recorded](
	ctx context.Context, s *Store, op operation[C], changes []C, wait time.Duration,
) (left []C, err error) {
	for _, c := range changes {
		c.base().begin()
	}

	err = s.withConn(ctx, changes[0].base().op, func(db session) error {
		table, partitions := op.partitions(changes)
		err := db.resolve(ctx, recordsOf(changes), table, partitions)
		found := filter(changes, func(c C) bool { return !c.base().isUnresolved() })
		if err == nil && len(found) > 0 {
			left, err = changeLocked(ctx, db, op, found, wait)
		}

		return withPhase(ports.PhaseQuery, err)
	})

	return left, err
}

// changeLocked locks series and changes them in one transaction, which stays open if nothing changed. It returns the
// changes whose series it did not get.
func changeLocked[C recorded](
	ctx context.Context, db session, op operation[C], changes []C, wait time.Duration,
) (left []C, err error) {
	slices.SortFunc(changes, func(a, b C) int { return a.base().series.compare(b.base().series) })
	nonce := domain.Version{}.Next().Nonce
	if err := db.lock(ctx, recordsOf(changes), nonce, wait, op.read(changes)...); err != nil {
		return nil, err
	}

	locked := filter(changes, func(c C) bool { return c.base().isLocked })
	left = filter(changes, func(c C) bool { return !c.base().isLocked })
	if wait > 0 {
		db.store.lookups.forget(recordsOf(left)) // they do not exist any more
	}
	if len(locked) == 0 {
		return left, nil
	}

	steps, err := op.apply(ctx, db, locked)
	if err != nil {
		return nil, err
	}
	changed := filter(recordsOf(locked), func(r *record) bool { return r.err == nil && r.isChanged() })
	if len(steps)+len(changed) == 0 {
		return left, nil
	}

	steps = slices.Concat(steps, storeRecords(changed, nonce), []step{stepOf(commit)})

	return left, outcomeOf(db.pipeline(ctx, steps...))
}

// outcomeOf tells that nobody knows whether a transaction was committed that failed without an answer of the server.
func outcomeOf(err error) error {
	if _, isAnswer := errors.AsType[*pgconn.PgError](err); err == nil || isAnswer {
		return err
	}

	return fmt.Errorf("the outcome of the write is unknown: %w", err)
}

// errLockTimeout reports that other transactions had locked series for too long. It never leaves the package.
var errLockTimeout = errors.New("waiting for a lock of a series")

// lock begins a transaction, and locks the series of the records until it ends: those that are free, or all of them if
// it may wait. Then it reads coverage and blocks, in statements of their own, because only those that begin after the
// wait see what the writer before committed.
func (db session) lock(
	ctx context.Context, records []*record, nonce uint64, wait time.Duration, others ...step,
) error {
	steps := []step{stepOf(begin), stepOf(planByKeys)}
	if wait == 0 {
		steps = append(steps, lockRecords(lockFreeSeries, records, nonce))
	} else {
		limit := strconv.FormatInt(wait.Milliseconds(), 10)
		steps = append(steps,
			stepOf(limitStatements, limit), lockRecords(lockSeries, records, nonce), stepOf(unlimitStatements))
	}
	steps = append(steps, readCoverage(records), readBlocks(records))

	err := db.pipeline(ctx, append(steps, others...)...)
	const queryCanceled = "57014"
	server, isAnswer := errors.AsType[*pgconn.PgError](err)
	if wait > 0 && isAnswer && server.Code == queryCanceled && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errLockTimeout, err)
	}

	return err
}

// filter returns the elements that is accepts.
func filter[E any](all []E, is func(e E) bool) []E {
	var accepted []E
	for _, e := range all {
		if is(e) {
			accepted = append(accepted, e)
		}
	}

	return accepted
}
