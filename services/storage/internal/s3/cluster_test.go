//go:build cluster

package s3_test

import (
	"os"
	"strings"
	"testing"

	"calotype/services/storage/internal/blobtest"
	"calotype/services/storage/internal/s3"
)

// given is any object store, named by the environment: TEST_S3_ENDPOINTS (by commas), TEST_S3_ACCESS_KEY, TEST_S3_SECRET_KEY, and
// TEST_S3_REGION where it is not us-east-1. Each test makes a bucket of its own there, and removes it.
func given(t testing.TB) s3.Config {
	t.Helper()
	endpoints := os.Getenv("TEST_S3_ENDPOINTS")
	if endpoints == "" {
		t.Fatal("TEST_S3_ENDPOINTS names no object store")
	}
	cfg := configFor(os.Getenv("TEST_S3_ACCESS_KEY"), os.Getenv("TEST_S3_SECRET_KEY"), strings.Split(endpoints, ",")...)
	if region := os.Getenv("TEST_S3_REGION"); region != "" {
		cfg.Region = region
	}
	return cfg
}

func TestGivenStore(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Subject { return subject(t, given(t)) })
}

func TestGivenStoreTakesLargeBlobs(t *testing.T) { largeBlobs(t, given(t)) }

func TestGivenStoreRefusesWhatIsDamagedOnTheWay(t *testing.T) { damagedOnTheWay(t, given(t)) }

func TestGivenStoreIsSwept(t *testing.T) { sweeps(t, given(t)) }

func TestGivenStoreTellsWhatIsWrong(t *testing.T) { wrongSettings(t, given(t)) }

func TestGivenStoreAtTwoDoors(t *testing.T) { besideEachOther(t, given(t)) }
