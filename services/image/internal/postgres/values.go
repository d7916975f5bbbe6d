package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"calotype/services/image/internal/job"
)

// querier is what reading needs of a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// executor is what a statement needs of a database or a transaction.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

type scanner interface{ Scan(into ...any) error }

// all reads every row.
func all[T any](rows *sql.Rows, err error, read func(scanner) (T, error)) (found []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := read(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

// scan reads a row of one column.
func scan[T any](row scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// text makes what comes from outside fit for Postgres, which keeps neither broken UTF-8 nor NUL.
func text[S ~string](s S) string {
	if utf8.ValidString(string(s)) && strings.IndexByte(string(s), 0) < 0 {
		return string(s)
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(s), "\ufffd"), "\x00", "\ufffd")
}

// texts are several, as an array.
func texts[S ~string](all []S) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = text(s)
	}
	return out
}

// maybe keeps the zero time as NULL.
func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func when(t sql.NullTime) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}

// part gives one of a failure's columns, NULL with none.
func part(f *job.Failure, of func(*job.Failure) string) *string {
	if f == nil {
		return nil
	}
	s := text(of(f))
	return &s
}

func failure(reason, message, variant sql.NullString) *job.Failure {
	if !reason.Valid {
		return nil
	}
	return &job.Failure{Reason: reason.String, Message: message.String, Variant: variant.String}
}

// column is one column of several rows, as an array of its type.
type column struct {
	name, kind string
	values     any
}

func col[R, V any](name, kind string, rows []R, value func(R) V) column {
	values := make([]V, len(rows))
	for i, r := range rows {
		values[i] = value(r)
	}
	return column{name: name, kind: kind, values: values}
}

// statement is changes of several tables in one round trip.
type statement struct {
	parts []string
	args  []any
	sure  []string // what must be true of it, or all is undone
}

// rows puts columns into the arguments and gives what reads them as rows.
func (s *statement) rows(columns []column) (names, from string) {
	var ns, params []string
	for _, c := range columns {
		s.args = append(s.args, c.values)
		ns = append(ns, c.name)
		params = append(params, fmt.Sprintf("$%d::%s[]", len(s.args), c.kind))
	}
	return strings.Join(ns, ", "), "unnest(" + strings.Join(params, ", ") + ")"
}

// insert adds rows; then says what is to be done about a conflict.
func (s *statement) insert(table, then string, columns ...column) {
	names, from := s.rows(columns)
	s.parts = append(s.parts, fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM %s AS given (%s) %s", table, names, from, names, then))
}

// update changes the rows that have the first column in common with those given, and in version what the last says: each of them.
func (s *statement) update(table, version string, columns ...column) {
	names, from := s.rows(columns)
	key, before := columns[0].name, columns[len(columns)-1].name
	var set []string
	for _, c := range columns[1 : len(columns)-1] {
		set = append(set, fmt.Sprintf("%s = given.%s", c.name, c.name))
	}
	s.sure = append(s.sure, fmt.Sprintf("(SELECT count(*) FROM part%d) = cardinality($%d)", len(s.parts), len(s.args)))
	s.parts = append(s.parts, fmt.Sprintf("UPDATE %[1]s SET %[2]s FROM %[3]s AS given (%[4]s) WHERE %[1]s.%[5]s = given.%[5]s AND %[1]s.%[6]s = given.%[7]s RETURNING 1",
		table, strings.Join(set, ", "), from, names, key, version, before))
}

// run makes the changes and keeps the transaction's token. There is none, which the server refuses as notNull, where a row was not as it was
// to be.
func (s *statement) run(ctx context.Context, on executor, token string) error {
	var query strings.Builder
	for i, p := range s.parts {
		query.WriteString([]string{"WITH ", ", "}[min(i, 1)])
		fmt.Fprintf(&query, "part%d AS (%s)", i, p)
	}
	fmt.Fprintf(&query, " INSERT INTO outcomes (token) SELECT CASE WHEN %s THEN $%d END", strings.Join(append(s.sure, "true"), " AND "), len(s.args)+1)
	_, err := on.ExecContext(ctx, query.String(), append(s.args, token)...)
	return err
}
