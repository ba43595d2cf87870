package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// heartbeat is how long a subscription hears nothing before it asks the server whether it is there, and heartbeatTimeout how long
	// the answer may take.
	heartbeat        = 5 * time.Second
	heartbeatTimeout = 3 * time.Second

	// proofTimeout is how long the notification may take that proves a subscription: nobody waits for it.
	proofTimeout = 5 * time.Second

	// closeTimeout is how long the server is waited for when a subscription ends.
	closeTimeout = time.Second
)

const (
	opPublish   = "publish invalidations"
	opSubscribe = "subscribe to invalidations"
)

// Notices carries invalidations between the processes that use one database, by LISTEN and NOTIFY on the channel
// marketdata_invalidations, which every database has for itself. It needs no table and no grant: whoever may connect may tell and hear,
// and what is told are ranges of series, never bars. It is safe for concurrent use.
//
// Publishing uses a connection of the store's pool for a moment. A subscription has a connection of its own beside the pool, with the
// pool's settings; its application_name ends in "invalidations". Behind pgbouncer that needs session mode, which Subscribe finds out.
type Invalidations struct {
	store *Store
	name  string // tells our own invalidations from others'
}

var _ ports.Invalidations = (*Invalidations)(nil)

// NewNotices returns the Notices of a process that uses the store. They end with the store, which is the caller's to close;
// subscriptions with their contexts.
func NewInvalidations(s *Store) *Invalidations {
	return &Invalidations{store: s, name: rand.Text()}
}

// Publish implements ports.Invalidations. All changes are told, or none; those of one call in one transaction of the server. A key that
// is not valid is ErrInvalid.
func (n *Invalidations) Publish(ctx context.Context, changes ...ports.Invalidation) error {
	texts, err := encodeNotifications(n.name, changes)
	if err == nil && len(texts) > 0 {
		err = n.notify(ctx, texts)
	}
	return translate(ctx, opPublish, "", err)
}

func (n *Invalidations) notify(ctx context.Context, texts []string) error {
	return n.store.withConn(ctx, func(conn *pgx.Conn) error {
		limited, cancel := n.store.withTimeout(ctx)
		defer cancel()
		// Not a prepared statement: those of a pool behind pgbouncer may fail, which would hide what is wrong with listening there.
		_, err := conn.Exec(limited, notifyInvalidations, pgx.QueryExecModeExec, texts)
		return withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
	})
}

// Subscribe implements ports.Invalidations. What these Notices published themselves is left out. A server that goes away without a word
// is noticed within eight seconds. The consumer has to go on taking: the server keeps what was not taken from any listener, for all.
//
// A sequence that is never ranged over keeps its connection until ctx is done.
func (n *Invalidations) Subscribe(ctx context.Context) (iter.Seq2[ports.Invalidation, error], error) {
	conn, err := n.openListener(ctx)
	if err != nil {
		return nil, translate(ctx, opSubscribe, "", err)
	}

	var used atomic.Bool
	stop := context.AfterFunc(ctx, func() {
		if !used.Swap(true) {
			closeConn(ctx, conn)
		}
	})

	return func(yield func(ports.Invalidation, error) bool) {
		if used.Swap(true) {
			err := ctx.Err()
			if err == nil {
				err = errReused
			}
			yield(ports.Invalidation{}, translate(ctx, opSubscribe, "", err))

			return
		}

		stop()
		defer closeConn(ctx, conn)
		for {
			changes, err := n.receive(ctx, conn)
			if err != nil {
				yield(ports.Invalidation{}, translate(ctx, opSubscribe, "", err))
				return
			}

			for _, change := range changes {
				if ctx.Err() != nil {
					break // the next hear says so
				}
				if !yield(change, nil) {
					return
				}
			}
		}
	}, nil
}

// listen returns a connection that is known to hear what the pool's connections tell.
func (n *Invalidations) openListener(ctx context.Context) (*pgx.Conn, error) {
	conn, err := n.connect(ctx)
	if err != nil {
		return nil, withPhase(ports.PhaseConnect, err)
	}
	if err := n.verifyDelivery(ctx, conn); err != nil {
		closeConn(ctx, conn)
		return nil, err
	}

	return conn, nil
}

// connect opens a connection beside the pool, as the pool would.
func (n *Invalidations) connect(ctx context.Context) (*pgx.Conn, error) {
	pool := n.store.pool.Config()
	config := pool.ConnConfig // a copy
	ctx, cancel := context.WithTimeout(ctx, n.store.cfg.ConnectTimeout)
	defer cancel()
	if pool.BeforeConnect != nil { // it may bring the password
		if err := pool.BeforeConnect(ctx, config); err != nil {
			return nil, err
		}
	}

	config.RuntimeParams["application_name"] = strings.TrimSpace(config.RuntimeParams["application_name"] + " invalidations")
	config.OnNotification = nil // the connection's own, which keeps them
	// A wait that ends leaves nothing to cancel in the server.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}

	return pgx.ConnectConfig(ctx, config)
}

// prove makes the connection listen and waits until it has heard what the pool tells. A pooler that gives each transaction another
// session accepts LISTEN, and nothing is ever heard.
func (n *Invalidations) verifyDelivery(ctx context.Context, conn *pgx.Conn) error {
	limited, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	if _, err := conn.PgConn().Exec(limited, listenInvalidations).ReadAll(); err != nil {
		return withPhase(ports.PhaseQuery, err)
	}

	proof := rand.Text()
	payload, err := json.Marshal(notification[ports.Invalidation]{From: n.name, Proof: proof})
	if err != nil {
		return err
	}
	if err := n.notify(ctx, []string{string(payload)}); err != nil {
		return err
	}

	for {
		heard, err := conn.WaitForNotification(limited)
		if err != nil && ctx.Err() == nil && limited.Err() != nil {
			return &limitError{ports.ErrUnavailable, ports.PhaseRead, fmt.Errorf("what was notified was not heard within %s; behind "+
				"pgbouncer, listening needs a connection in session mode, or one past it: %w", proofTimeout, err)}
		}
		if err != nil {
			return withPhase(ports.PhaseRead, err)
		}
		if got, ok := decodeNotification(heard.Payload); ok && got.Proof == proof {
			return nil
		}
	}
}

// hear waits for what another process publishes. What is none of it is passed over.
func (n *Invalidations) receive(ctx context.Context, conn *pgx.Conn) ([]ports.Invalidation, error) {
	for {
		heard, err := waitForNotification(ctx, conn)
		if err != nil {
			return nil, withPhase(ports.PhaseRead, err)
		}
		if got, ok := decodeNotification(heard.Payload); ok && got.From != n.name && len(got.Changes) > 0 {
			return got.Changes, nil
		}
	}
}

// wait is conn.WaitForNotification that asks the server whether it is there, whenever nothing was heard for some time.
func waitForNotification(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	for ctx.Err() == nil {
		silence, cancel := context.WithTimeout(ctx, heartbeat)
		heard, err := conn.WaitForNotification(silence)
		quiet := silence.Err() != nil && !conn.IsClosed()
		cancel()
		if err == nil {
			return heard, nil
		}
		if !quiet {
			return nil, err
		}

		if ctx.Err() == nil {
			if err := pingServer(ctx, conn); err != nil {
				return nil, err
			}
		}
	}
	return nil, ctx.Err()
}

// ask wants an answer of the server, in time.
func pingServer(ctx context.Context, conn *pgx.Conn) error {
	limited, cancel := context.WithTimeout(ctx, heartbeatTimeout)
	defer cancel()
	err := conn.Ping(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return &limitError{ports.ErrUnavailable, ports.PhaseRead,
			fmt.Errorf("the server did not answer within %s: %w", heartbeatTimeout, err)}
	}

	return err
}

// hangUp closes the connection of a subscription; its ctx may be done.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // what it would report is that the connection was broken
}

// notice is the JSON of a notification.
type notification[C any] struct {
	From    string `json:"from"`              // the name of the Notices
	Proof   string `json:"proof,omitempty"`   // of a subscription that wants to hear itself
	Part    int    `json:"part,omitempty"`    // of one Publish: the server drops what a transaction repeats to the byte
	Changes []C    `json:"changes,omitempty"` // JSON, or what it says
}

const (
	maxPayload = 7999 // bytes that the server takes in one notification
	envelope   = 128  // what is left of them for all but the changes
)

// payloads cuts the changes into notifications.
func encodeNotifications(from string, changes []ports.Invalidation) (texts []string, err error) {
	part := notification[json.RawMessage]{From: from}
	room := maxPayload - envelope
	flush := func() error {
		text, err := json.Marshal(part)
		texts = append(texts, string(text))
		part.Part, part.Changes, room = part.Part+1, nil, maxPayload-envelope
		return err
	}
	for _, change := range changes {
		if err := change.Key.Validate(); err != nil {
			return nil, err
		}

		text, err := json.Marshal(change)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w: %w", change.Key, change.Range, domain.ErrInvalid, err)
		}
		if len(text) >= maxPayload-envelope {
			return nil, fmt.Errorf("%s of the store %.20q...: %d bytes, and a notification takes %d; give the store a shorter name: %w",
				change.Key, change.Store, len(text), maxPayload-envelope, domain.ErrInvalid)
		}

		if len(text) >= room {
			if err := flush(); err != nil {
				return nil, err
			}
		}

		part.Changes = append(part.Changes, text)
		room -= len(text) + 1
	}

	if len(part.Changes) > 0 {
		err = flush()
	}
	return texts, err
}

// parseNotice reads a notification. One that is not ours is not ok.
func decodeNotification(payload string) (n notification[ports.Invalidation], ok bool) {
	if json.Unmarshal([]byte(payload), &n) != nil || n.From == "" {
		return notification[ports.Invalidation]{}, false
	}

	for _, change := range n.Changes {
		if change.Key.Validate() != nil {
			return notification[ports.Invalidation]{}, false
		}
	}

	return n, true
}
