package s3

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// endpoint is one door of the object store, and whether it is open. It is asked all the time, by a request that touches the store's
// disks: a door that answers from its memory while they hang counts as closed.
type endpoint struct {
	name    string // host:port
	core    *minio.Core
	pool    *http.Transport
	cluster *cluster
	kick    chan struct{} // wakes the probing

	heard  atomic.Int64 // when it answered anything last
	missed atomic.Int32 // connections in a row that it did not take
	isUp   atomic.Bool
	why    atomic.Pointer[error] // it is not
}

func (c *cluster) newEndpoint(raw string) (*endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	tls, err := c.cfg.tls()
	if err != nil {
		return nil, err
	}
	e := &endpoint{name: u.Host, cluster: c, kick: make(chan struct{}, 1)}
	e.pool = &http.Transport{
		DialContext:         e.dial,
		TLSClientConfig:     tls,
		TLSHandshakeTimeout: c.cfg.Timeout,
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // bytes are to come as they are
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
	}
	e.isUp.Store(true) // until it is known better
	lookup := minio.BucketLookupDNS
	if c.cfg.PathStyle {
		lookup = minio.BucketLookupPath
	}
	e.core, err = minio.NewCore(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(c.cfg.AccessKey.Reveal(), c.cfg.SecretKey.Reveal(), ""), Secure: u.Scheme == "https",
		Transport: transport{e.pool, e}, Region: c.cfg.Region, BucketLookup: lookup, MaxRetries: 1,
	})
	return e, err
}

// close takes the endpoint out until a probe finds it well.
func (e *endpoint) close(why error) {
	e.why.Store(&why)
	if e.isUp.Swap(false) {
		e.cluster.log.Warn("an endpoint of the object store is away", "endpoint", e.name, "error", why)
		e.pool.CloseIdleConnections()
	}
	e.cluster.metrics.up(e.name, false)
	e.suspect()
}

func (e *endpoint) open() {
	if !e.isUp.Swap(true) {
		e.cluster.log.Info("an endpoint of the object store is back", "endpoint", e.name)
	}
	e.cluster.metrics.up(e.name, true)
}

// suspect has the endpoint probed now.
func (e *endpoint) suspect() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// Once something is known to be wrong, nobody waits for long to learn whether it still is.
const impatient = 2 * time.Second

func (e *endpoint) watch(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	kicked := false
	for {
		within := e.cluster.cfg.Timeout
		if kicked || !e.isUp.Load() {
			within = min(within, impatient)
		}
		err := e.probe(ctx, within)
		if err != nil && e.isUp.Load() && e.lively(err) {
			err = e.probe(ctx, within)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			e.close(err)
		} else {
			e.open()
		}
		// A kick that came meanwhile is answered by this probe or by the next one, which is not to follow at once.
		select {
		case <-e.kick:
		default:
		}
		again.Reset(e.cluster.cfg.ProbeEvery)
		select {
		case <-again.C:
			kicked = false
		case <-e.kick:
			kicked = true
		case <-ctx.Done():
			return
		}
	}
}

// probe describes an object that is not there, another one each time: to know that, a store must ask the disks that would have it.
func (e *endpoint) probe(ctx context.Context, within time.Duration) error {
	var name [32]byte
	_, _ = rand.Read(name[:]) // never fails
	a := newAttempt(ctx, within)
	defer a.end()
	began := time.Now()
	_, err := e.core.StatObject(a.ctx, e.cluster.cfg.Bucket, blobs+hex.EncodeToString(name[:]), minio.StatObjectOptions{})
	said, broke := a.failure()
	switch {
	case broke != nil:
		err = broke
	case said != nil:
		err = said
	case errors.As(err, new(minio.ErrorResponse)):
		err = nil // it answers; what the answer is worth is found out elsewhere
	}
	e.cluster.metrics.request("probe", err, time.Since(began))
	return err
}
