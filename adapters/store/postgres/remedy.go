package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/adapters/neterror"
	"github.com/gal-friday/marketdata/ports"
)

// remedyError adds the remedy to an error, and may replace its text by one for people.
type remedyError struct {
	err          error
	text, remedy string
}

// Error returns the text, or that of the cause if there is none. translate adds the remedy.
func (e *remedyError) Error() string { return cmp.Or(e.text, e.err.Error()) }

// Unwrap returns the cause.
func (e *remedyError) Unwrap() error { return e.err }

// withRemedy adds the remedy to the error of a call on the connection, where one is known.
func (db session) withRemedy(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}

	known := db.store.known.Load()
	areViews := known != nil && known.areViews
	server, isServer := errors.AsType[*pgconn.PgError](err)
	switch kind := errorKind(err); {
	case areViews && kind == ports.ErrSchema: //nolint:errorlint // a kind is one of the sentinels
		return &viewError{err, "; compare the views with adapters/store/postgres/testdata/existing_tables.sql"}
	case areViews || !isServer || db.conn.IsClosed() || db.conn.PgConn().TxStatus() != 'I':
		return err
	case kind == ports.ErrSchema: //nolint:errorlint // as above
		text, remedy := db.schemaRemedy(ctx)
		return &remedyError{err, text, remedy}
	case kind == ports.ErrPermission: //nolint:errorlint // as above
		return db.withPrivileges(ctx, err, server.Message)
	}

	return err
}

// schemaRemedy returns what is wrong with tables that are not as expected, and the remedy: it compares their version
// with that of this program. It returns "" if no migration helps.
func (db session) schemaRemedy(ctx context.Context) (text, remedy string) {
	var version string
	err := db.queryRow(ctx, selectVersion, nil, &version)
	const undefinedTable = "42P01"
	if server, ok := errors.AsType[*pgconn.PgError](err); ok && server.Code == undefinedTable {
		err = nil
	}

	newest := newestVersion()
	text = fmt.Sprintf("the tables have the version %s, and this program needs %s", version, newest)
	switch {
	case err != nil || version == newest:
		return "", ""
	case version == "":
		return "the tables are missing", "run marketdata migrate to create the tables, as a user who may"
	case version < newest:
		return text, "run marketdata migrate as the owner of the tables"
	}

	return text, "use a newer marketdata"
}

// newestVersion returns the name of the newest migration.
func newestVersion() string {
	files, _ := fs.Glob(migrationFiles, "migrations/*") // the pattern is valid
	newest, _, _ := strings.Cut(strings.TrimPrefix(files[len(files)-1], "migrations/"), "_")

	return strings.TrimSuffix(newest, ".tx.up.sql")
}

// withPrivileges tells the privileges that the role lacks on what the server's message names, and the command that
// prints the grants. Where the role lacks none, such as with a row-level security policy, it adds nothing.
func (db session) withPrivileges(ctx context.Context, err error, message string) error {
	var role string
	if db.queryRow(ctx, selectRole, nil, &role) != nil {
		return err
	}

	for _, of := range []Role{RoleReader, RoleImporter} {
		missing, queryErr := queryRows(ctx, db, missingPrivileges(of), pgx.RowToStructByPos[privilege])
		if queryErr != nil {
			return err
		}

		var object string
		var lacks []string
		for _, p := range missing {
			if name := p.Kind + " " + p.Object; strings.Contains(message, name) {
				object, lacks = name, append(lacks, p.Privilege)
			}
		}
		if len(lacks) > 0 {
			text := lacksText(role, strings.Join(lacks, ", "), strings.TrimPrefix(object, "in "))
			return &remedyError{err, text, grantsRemedy(of, role)}
		}
	}

	return err
}

// lacksText tells a person which privileges a role lacks.
func lacksText(role, privileges, object string) string {
	return fmt.Sprintf("the role %q lacks %s on the %s", role, privileges, object)
}

// privilege is one that a role lacks.
type privilege struct {
	Kind, Object string // as the server's messages name it: table bars
	Privilege    string
}

// missingPrivileges returns the statement for the privileges that the role of the session lacks to be of the kind.
func missingPrivileges(role Role) statement {
	tables, privileges := tablePrivileges(role == RoleImporter)

	return statement{sql: selectMissingPrivileges, args: []any{tables, privileges, role == RoleImporter}}
}

// grantsRemedy names the command that prints the grants of a role.
func grantsRemedy(role Role, name string) string {
	return fmt.Sprintf("marketdata migrate --grants %s %q prints the statements that permit it", role, name)
}

// connectError is a failed connection in words for people, because the driver's text repeats address and cause.
type connectError struct {
	err  error
	text string
}

// Error returns the address, the user, the database and the reason.
func (e *connectError) Error() string { return e.text }

// Unwrap returns the error of the driver.
func (e *connectError) Unwrap() error { return e.err }

// newConnectError returns the error of a connection that the driver could not open; another error as it is.
func newConnectError(config *pgx.ConnConfig, err error) error {
	failed, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok {
		return err
	}

	reason := neterror.Reason(failed.Unwrap())
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		reason = server.Message
	} else if _, cause, isTLS := strings.Cut(reason, "tls error: "); isTLS { // the driver exports no type for it
		reason = cause
	}
	address := config.Host
	if !strings.HasPrefix(address, "/") { // not the folder of a socket
		address = net.JoinHostPort(address, strconv.Itoa(int(config.Port)))
	}

	return &connectError{err, fmt.Sprintf("no connection to %s as user %q to database %q: %s",
		address, config.User, cmp.Or(config.Database, config.User), reason)}
}

// withConnectRemedy adds the remedy to the error of a connection, where one is known.
func (s *Store) withConnectRemedy(err error) error {
	config := s.pool.Config().ConnConfig
	err = newConnectError(config, err)
	text, remedy := "", ""
	server, isServer := errors.AsType[*pgconn.PgError](err)
	_, isConnect := errors.AsType[*pgconn.ConnectError](err)
	switch kind := errorKind(err); {
	case isServer && server.Code == "3D000":
		remedy = fmt.Sprintf("create it with CREATE DATABASE %s and run marketdata migrate, or correct the DSN",
			pgx.Identifier{config.Database}.Sanitize())
	case isServer && kind == ports.ErrPermission: //nolint:errorlint // a kind is one of the sentinels
		remedy = grantsRemedy(RoleReader, config.User)
		if strings.Contains(server.Message, "denied for database") {
			text = lacksText(config.User, "CONNECT", "database "+config.Database)
		}
	case isServer && kind == ports.ErrAuth: //nolint:errorlint // as above
		remedy = "correct user and password in the DSN, or the password file"
	case isServer && kind == ports.ErrInvalid: //nolint:errorlint // as above
		remedy = "correct or remove the parameter in the DSN"
	case isConnect && kind == ports.ErrAuth: //nolint:errorlint // as above
		remedy = "correct sslmode and the certificates in the DSN, or TLS on the server"
	case isConnect && kind == ports.ErrUnavailable: //nolint:errorlint // as above
		remedy = "start the server, or correct host and port in the DSN"
	}
	if remedy == "" {
		return err
	}

	return &remedyError{err, text, remedy}
}
