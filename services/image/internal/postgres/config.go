package postgres

import (
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config says where the database is, and how it is spoken to.
type Config struct {
	URL            string        `koanf:"url" doc:"where the database is, postgres://user@host:port/name, with what else libpq knows (sslmode, several hosts, target_session_attrs); no password"`
	Password       config.Secret `koanf:"password" doc:"the user's password"`
	MaxConnections int           `koanf:"max_connections" doc:"connections that a manager keeps at most, 4..1000"`
	ConnectTimeout time.Duration `koanf:"connect_timeout" doc:"how long making a connection may take"`
	Timeout        time.Duration `koanf:"timeout" doc:"how long anything that is asked of the database may take, with all that is tried again"`
}

// DefaultConfig names no database.
func DefaultConfig() Config {
	return Config{MaxConnections: 20, ConnectTimeout: 3 * time.Second, Timeout: 10 * time.Second}
}

// Validate finds every fault at once.
func (c Config) Validate() (faults []fault.Field) {
	check := func(right bool, path, format string, args ...any) {
		if !right {
			faults = append(faults, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
		}
	}
	if c.URL != "" {
		_, err := pgx.ParseConfig(c.URL) // whose error does not show a password
		check(err == nil, "url", "%v", err)
		if u, err := url.Parse(c.URL); err == nil {
			_, given := u.User.Password()
			check(!given, "url", "holds a password, which belongs in password, where it is not shown")
		}
	}
	check(c.MaxConnections >= 4 && c.MaxConnections <= 1000, "max_connections", "%d is not within 4..1000", c.MaxConnections)
	check(c.ConnectTimeout > 0, "connect_timeout", "%v is not above 0", c.ConnectTimeout)
	check(c.Timeout > 0, "timeout", "%v is not above 0", c.Timeout)
	return faults
}
