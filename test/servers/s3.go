package servers

import (
	"context"
	"strconv"
	"testing"
)

// S3 is an object store that speaks S3 (versitygw) and keeps objects as files in a folder of its own.
type S3 struct {
	*Process
	Endpoint             string // http://host:port
	Addr                 string // host:port
	AccessKey, SecretKey string
	Folder               string // the objects, as files below a folder for each bucket
}

// NewS3 starts an object store without buckets and returns when it answers.
func NewS3(t testing.TB) *S3 {
	t.Helper()
	return startS3(t, t.TempDir())
}

// Beside starts another door to the same objects.
func (s *S3) Beside(t testing.TB) *S3 {
	t.Helper()
	return startS3(t, s.Folder)
}

func startS3(t testing.TB, folder string) *S3 {
	t.Helper()
	s := &S3{AccessKey: "calotype", SecretKey: "calotype-for-tests", Folder: folder}
	s.Process = start(t, "versitygw", 1, func(ports []int) ([]string, func(context.Context) error) {
		s.Addr = local(ports[0])
		s.Endpoint = "http://" + s.Addr
		args := []string{
			"--access", s.AccessKey, "--secret", s.SecretKey, "--port", "127.0.0.1:" + strconv.Itoa(ports[0]),
			"--keep-alive", "--quiet", "posix", folder,
		}
		return args, func(ctx context.Context) error { return accepts(ctx, s.Addr) }
	})
	return s
}
