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
	"github.com/gal-friday/marketdata/ports/blockcache"
)

const (
	// heartbeat is how long a subscription waits for a notification before it pings the server; pingTimeout limits the
	// ping.
	heartbeat   = 5 * time.Second
	pingTimeout = 3 * time.Second

	// deliveryTimeout limits the delivery of the notification with which a subscription verifies itself.
	deliveryTimeout = 5 * time.Second

	// closeTimeout limits the closing of a subscription's connection, which only tells the server. With the wait for hints
	// and for calls, closing all ends within two seconds whatever the server does.
	closeTimeout = 200 * time.Millisecond
)

const (
	opPublish   = "publish hints"
	opSubscribe = "subscribe to hints"
)

// Hints carries hints between the processes that use one database, through LISTEN and NOTIFY on the
// channel marketdata_hints of the database. It needs neither a table nor a grant: every role that can connect
// can publish and subscribe. Notifications contain ranges of series, never bars. It is safe for concurrent use.
//
// Publish uses a connection of the store's pool. Each subscription has a connection of its own beside the pool, with
// the pool's settings and an application_name that ends in "hints". Behind PgBouncer, that connection must be
// in session mode; Subscribe detects other modes.
type Hints struct {
	store *Store
	name  string // random; identifies the publisher of a notification
}

var _ blockcache.Hints = (*Hints)(nil)

// NewHints returns the Hints of a process. The caller must not close the store before it has ended the
// subscriptions, by their contexts.
func NewHints(s *Store) *Hints {
	return &Hints{store: s, name: rand.Text()}
}

// Publish implements blockcache.Hints. It publishes all changes in one transaction, or none. An invalid key is
// ports.ErrInvalid.
func (iv *Hints) Publish(ctx context.Context, changes ...blockcache.Hint) error {
	payloads, err := encodeNotifications(iv.name, changes)
	if err == nil && len(payloads) > 0 {
		err = iv.notify(ctx, opPublish, payloads)
	}

	return translate(ctx, opPublish, "", err)
}

// notify sends the payloads in one transaction. It does not prepare the statement, because PgBouncer may refuse
// prepared statements, which would hide the actual problem with LISTEN there.
func (iv *Hints) notify(ctx context.Context, op string, payloads []string) error {
	return iv.store.withConn(ctx, op, func(db session) error {
		stmtCtx, cancel := iv.store.withTimeout(ctx)
		defer cancel()
		_, err := db.conn.Exec(stmtCtx, db.label(notifyHints), pgx.QueryExecModeExec, payloads)
		return withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
	})
}

// Subscribe implements blockcache.Hints. The sequence leaves out the changes of this value. It fails within eight
// seconds after the server stopped responding, even if the connection stays open. The consumer must keep reading,
// because the server keeps a notification for all listeners until each of them has received it.
//
// A sequence that is never ranged over keeps its connection until ctx is done.
func (iv *Hints) Subscribe(ctx context.Context) (iter.Seq2[blockcache.Hint, error], error) {
	conn, err := iv.openListener(ctx)
	if err != nil {
		return nil, translate(ctx, opSubscribe, "", err)
	}

	var used atomic.Bool
	stop := context.AfterFunc(ctx, func() {
		if !used.Swap(true) {
			closeConn(ctx, conn)
		}
	})

	return func(yield func(blockcache.Hint, error) bool) {
		if used.Swap(true) {
			err := ctx.Err()
			if err == nil {
				err = errReused
			}
			yield(blockcache.Hint{}, translate(ctx, opSubscribe, "", err))

			return
		}

		stop()
		defer closeConn(ctx, conn)
		for {
			changes, err := iv.receive(ctx, conn)
			if err != nil {
				yield(blockcache.Hint{}, translate(ctx, opSubscribe, "", err))
				return
			}

			for _, change := range changes {
				if ctx.Err() != nil {
					break // the next receive returns the error
				}
				if !yield(change, nil) {
					return
				}
			}
		}
	}, nil
}

// openListener returns a connection that verifiably receives the notifications of the pool's connections.
func (iv *Hints) openListener(ctx context.Context) (*pgx.Conn, error) {
	conn, err := iv.connect(ctx)
	if err != nil {
		return nil, withPhase(ports.PhaseConnect, err)
	}
	if err := iv.verifyDelivery(ctx, conn); err != nil {
		closeConn(ctx, conn)
		return nil, err
	}

	return conn, nil
}

// connect opens a connection beside the pool, with the pool's settings.
func (iv *Hints) connect(ctx context.Context) (*pgx.Conn, error) {
	pool := iv.store.pool.Config()
	config := pool.ConnConfig // a copy
	ctx, cancel := context.WithTimeout(ctx, iv.store.cfg.ConnectTimeout)
	defer cancel()
	if pool.BeforeConnect != nil { // it may set the password
		if err := pool.BeforeConnect(ctx, config); err != nil {
			return nil, err
		}
	}

	name := config.RuntimeParams["application_name"] + " hints"
	config.RuntimeParams["application_name"] = strings.TrimSpace(name)
	config.OnNotification = nil // the caller's handler would take the notifications
	// No statement runs while the connection waits, so the end of a wait has nothing to cancel in the server.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}

	return pgx.ConnectConfig(ctx, config)
}

// verifyDelivery makes the connection listen, publishes a notification through the pool and waits for it. A pooler that
// assigns a session per transaction accepts LISTEN but delivers nothing.
func (iv *Hints) verifyDelivery(ctx context.Context, conn *pgx.Conn) error {
	deliveryCtx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	if _, err := conn.PgConn().Exec(deliveryCtx, label(opSubscribe, listenHints)).ReadAll(); err != nil {
		return withPhase(ports.PhaseQuery, err)
	}

	token := rand.Text()
	payload, err := json.Marshal(notification[blockcache.Hint]{From: iv.name, Proof: token})
	if err != nil {
		return err
	}
	if err := iv.notify(ctx, opSubscribe, []string{string(payload)}); err != nil {
		return err
	}

	for {
		received, err := conn.WaitForNotification(deliveryCtx)
		if err != nil && ctx.Err() == nil && deliveryCtx.Err() != nil {
			return &limitError{ports.ErrUnavailable, ports.PhaseRead, fmt.Errorf(
				"a test notification did not arrive within %s; behind PgBouncer, "+
					"use session mode or a connection that bypasses it: %w", deliveryTimeout, err)}
		}
		if err != nil {
			return withPhase(ports.PhaseRead, err)
		}
		if got, ok := decodeNotification(received.Payload); ok && got.Proof == token {
			return nil
		}
	}
}

// receive waits for the next changes that another process publishes. It skips notifications that are not ours.
func (iv *Hints) receive(ctx context.Context, conn *pgx.Conn) ([]blockcache.Hint, error) {
	for {
		received, err := waitForNotification(ctx, conn)
		if err != nil {
			return nil, withPhase(ports.PhaseRead, err)
		}
		if got, ok := decodeNotification(received.Payload); ok && got.From != iv.name && len(got.Changes) > 0 {
			return got.Changes, nil
		}
	}
}

// waitForNotification waits for a notification and pings the server after each heartbeat without one.
func waitForNotification(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	for ctx.Err() == nil {
		heartbeatCtx, cancel := context.WithTimeout(ctx, heartbeat)
		received, err := conn.WaitForNotification(heartbeatCtx)
		isSilent := heartbeatCtx.Err() != nil && !conn.IsClosed()
		cancel()
		if err == nil {
			return received, nil
		}
		if !isSilent {
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

func pingServer(ctx context.Context, conn *pgx.Conn) error {
	pingCtx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := conn.Ping(pingCtx)
	if err != nil && ctx.Err() == nil && pingCtx.Err() != nil {
		return &limitError{ports.ErrUnavailable, ports.PhaseRead,
			fmt.Errorf("no response to a ping within %s: %w", pingTimeout, err)}
	}

	return err
}

// closeConn closes the connection of a subscription; ctx may be done. The error is ignored, because it can only be that
// the connection was broken.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

// notification is the JSON of a payload. C is blockcache.Hint or its JSON.
type notification[C any] struct {
	From    string `json:"from"`            // name of the publisher
	Proof   string `json:"proof,omitempty"` // token of verifyDelivery
	Part    int    `json:"part,omitempty"`  // of one Publish; the server drops equal payloads of a transaction
	Changes []C    `json:"changes,omitempty"`
}

// Limits of a payload, in bytes. The server accepts maxPayload; changesBytes of them are for the changes.
const (
	maxPayload   = 7999
	changesBytes = maxPayload - 128
)

// encodeNotifications splits the changes into payloads.
func encodeNotifications(from string, changes []blockcache.Hint) (payloads []string, err error) {
	part := notification[json.RawMessage]{From: from}
	free := changesBytes
	flush := func() error {
		payload, err := json.Marshal(part)
		payloads = append(payloads, string(payload))
		part.Part, part.Changes, free = part.Part+1, nil, changesBytes
		return err
	}
	for _, change := range changes {
		text, err := encodeChange(change)
		if err != nil {
			return nil, err
		}

		if len(text) >= free {
			if err := flush(); err != nil {
				return nil, err
			}
		}

		part.Changes = append(part.Changes, text)
		free -= len(text) + 1
	}

	if len(part.Changes) > 0 {
		err = flush()
	}

	return payloads, err
}

// encodeChange returns the JSON of a change, and refuses one that no payload can contain.
func encodeChange(change blockcache.Hint) ([]byte, error) {
	if err := change.Key.Validate(); err != nil {
		return nil, err
	}

	text, err := json.Marshal(change)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", change.Key, change.Range, domain.ErrInvalid, err)
	}
	if len(text) >= changesBytes {
		return nil, fmt.Errorf("%s of store %.20q...: %d bytes, must be less than %d; use a shorter store name: %w",
			change.Key, change.Store, len(text), changesBytes, domain.ErrInvalid)
	}

	return text, nil
}

// decodeNotification decodes a payload; ok is false if it is not one of ours.
func decodeNotification(payload string) (n notification[blockcache.Hint], ok bool) {
	if json.Unmarshal([]byte(payload), &n) != nil || n.From == "" {
		return notification[blockcache.Hint]{}, false
	}

	for _, change := range n.Changes {
		if change.Key.Validate() != nil {
			return notification[blockcache.Hint]{}, false
		}
	}

	return n, true
}
