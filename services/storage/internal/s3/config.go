package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// Config says which object store there is, and how it is spoken to.
type Config struct {
	Endpoints      []string      `koanf:"endpoints" doc:"the doors of one object store, http://host:port or https://...; when one is away, the next is taken"`
	Bucket         string        `koanf:"bucket" doc:"the bucket that holds the blobs, and nothing else"`
	CreateBucket   bool          `koanf:"create_bucket" doc:"make the bucket when it is not there"`
	Region         string        `koanf:"region" doc:"the region that requests are signed for"`
	PathStyle      bool          `koanf:"path_style" doc:"name the bucket in the path, not in the host"`
	AccessKey      config.Secret `koanf:"access_key" doc:"the id of the key that requests are signed with"`
	SecretKey      config.Secret `koanf:"secret_key" doc:"its secret"`
	CAFile         string        `koanf:"ca_file" doc:"certificates that https endpoints' are checked against; none: those of the system"`
	PartSize       config.Size   `koanf:"part_size" doc:"blobs above this size are sent in parts of it, 5MiB..1GiB"`
	Concurrency    int           `koanf:"concurrency" doc:"how many parts of one blob are sent at once"`
	Memory         config.Size   `koanf:"memory" doc:"what the parts of all uploads hold in memory at most; an upload that finds no room for 5 s is refused"`
	ConnectTimeout time.Duration `koanf:"connect_timeout" doc:"how long an endpoint may take to accept a connection"`
	Timeout        time.Duration `koanf:"timeout" doc:"how long an endpoint may stay silent in a request before it counts as away"`
	ProbeEvery     time.Duration `koanf:"probe_every" doc:"how often each endpoint is asked whether it is there"`
	StaleAfter     time.Duration `koanf:"stale_after" doc:"after what time the remains of uploads that never ended are removed; longer than any upload takes"`
}

// DefaultConfig names no endpoint.
func DefaultConfig() Config {
	return Config{
		Bucket: "calotype", CreateBucket: true, Region: "us-east-1", PathStyle: true,
		PartSize: 8 * config.MiB, Concurrency: 4, Memory: 128 * config.MiB,
		ConnectTimeout: 500 * time.Millisecond, Timeout: 5 * time.Second, ProbeEvery: 500 * time.Millisecond, StaleAfter: 24 * time.Hour,
	}
}

const (
	minPart  = 5 * config.MiB // S3's own limits
	maxParts = 10_000
)

// MaxBlob is the largest blob that fits into as many parts as S3 allows.
func (c Config) MaxBlob() config.Size { return maxParts * c.PartSize }

// Validate finds every fault at once.
func (c Config) Validate() (faults []fault.Field) {
	check := func(right bool, path, format string, args ...any) {
		if !right {
			faults = append(faults, fault.Field{Path: path, Message: fmt.Sprintf(format, args...)})
		}
	}
	for i, e := range c.Endpoints {
		u, err := url.Parse(e)
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && (u.Path == "" || u.Path == "/") && u.RawQuery == "",
			"endpoints", "number %d is not of the form http://host:port", i+1)
	}
	check(len(c.Bucket) >= 3 && len(c.Bucket) <= 63, "bucket", "%q is not the name of a bucket, which has 3 to 63 letters", c.Bucket)
	check(c.PartSize >= minPart && c.PartSize <= config.GiB, "part_size", "%v is not within 5MiB..1GiB", c.PartSize)
	check(c.Concurrency >= 1 && c.Concurrency <= 64, "concurrency", "%d is not within 1..64", c.Concurrency)
	check(c.Memory >= 2*c.PartSize, "memory", "%v is less than two parts", c.Memory)
	check((c.AccessKey == "") == (c.SecretKey == ""), "secret_key", "access_key and secret_key go together")
	for _, d := range []struct {
		path string
		is   time.Duration
		min  time.Duration
	}{
		{"connect_timeout", c.ConnectTimeout, time.Millisecond}, {"timeout", c.Timeout, 10 * time.Millisecond},
		{"probe_every", c.ProbeEvery, time.Millisecond}, {"stale_after", c.StaleAfter, time.Hour},
	} {
		check(d.is >= d.min, d.path, "must be %v at least", d.min)
	}
	return faults
}

func (c Config) tls() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return out, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("reading the CA of the object store: %w", err)
	}
	out.RootCAs = x509.NewCertPool()
	if !out.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("the file of the object store's CA holds no certificate")
	}
	return out, nil
}
