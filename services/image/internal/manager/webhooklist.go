package manager

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// List gives a page of notices, those of the newest jobs first, and the token for the next; "" at the end.
func (u *Webhooks) List(ctx context.Context, f job.WebhookFilter, size int, token string) ([]job.Webhook, string, error) {
	size, err := job.PageSize(size)
	if err != nil {
		return nil, "", err
	}
	listing := fmt.Sprintf("calotype webhooks?job=%s&state=%s:", f.Job, f.State)
	after, err := readWebhookToken(listing, token)
	if err != nil {
		return nil, "", err
	}
	found, err := u.store.Webhooks(ctx, f, after, size+1)
	if err != nil || len(found) <= size {
		return found, "", err
	}
	return found[:size], webhookToken(listing, found[size-1].ID), nil
}

// Get describes a notice. A job has few of them: one for each time it ended.
func (u *Webhooks) Get(ctx context.Context, id job.WebhookID) (job.Webhook, error) {
	if name, end := strings.TrimPrefix(string(id), "whk_"), strings.LastIndexByte(string(id), '_')-len("whk_"); end > 0 {
		found, err := u.store.Webhooks(ctx, job.WebhookFilter{Job: job.ID("job_" + name[:end])}, "", job.MaxPage)
		if err != nil {
			return job.Webhook{}, err
		}
		if i := slices.IndexFunc(found, func(w job.Webhook) bool { return w.ID == id }); i >= 0 {
			return found[i], nil
		}
	}
	return job.Webhook{}, fault.New(fault.NotFound, "WEBHOOK_NOT_FOUND", "there is no webhook %.80q", id)
}

// Replay sends a notice again, whatever became of it.
func (u *Webhooks) Replay(ctx context.Context, id job.WebhookID) (job.Webhook, error) {
	w, err := u.store.Replay(ctx, id, u.now())
	if err == nil {
		u.Wake()
	}
	return w, err
}

// webhookToken says where the next page begins, sealed with the listing it belongs to.
func webhookToken(listing string, after job.WebhookID) string {
	sum := crc32.ChecksumIEEE([]byte(listing + string(after)))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32([]byte(after), sum))
}

func readWebhookToken(listing, token string) (job.WebhookID, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if n := len(b) - 4; err == nil && n > 0 && binary.BigEndian.Uint32(b[n:]) == crc32.ChecksumIEEE(append([]byte(listing), b[:n]...)) && strings.HasPrefix(string(b), "whk_") {
		return job.WebhookID(b[:n]), nil
	}
	return "", wrong("BAD_PAGE_TOKEN", fault.Field{Path: "page_token", Message: "was not given by this listing with these filters"})
}
