package postgres

import (
	"encoding/json"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// kept is what one transaction keeps, for however many callers.
type kept struct {
	images   []job.Image
	batches  []job.Batch
	jobs     []accepted
	changed  []changed
	results  []madeResult
	events   []happened
	messages []posted
	webhooks []job.Webhook
	receipts []job.Receipt
}

type accepted struct {
	job.Job
	recipe string // in JSON
}

// changed is a job as it is to stand, and the sequence that it has until then.
type changed struct {
	job.Job
	before int64
}

type madeResult struct {
	job.Result
	job      job.ID
	image    job.ImageID
	position int64
}

type happened struct {
	job.Event
	job job.ID
}

type posted struct {
	job.Outgoing
	job     job.ID
	headers string // in JSON
	turn    int64
}

func (p posted) line() line { return line{class: p.Class.OrNormal(), tenant: text(p.Tenant)} }

// add takes in what a change brings beside the job itself.
func (k *kept) add(id job.ID, c job.Change) {
	for _, e := range c.Events {
		if !e.Follows() {
			k.events = append(k.events, happened{Event: e, job: id})
		}
	}
	for _, m := range c.Outbox {
		headers, _ := json.Marshal(m.Headers) // strings only
		k.messages = append(k.messages, posted{Outgoing: m, job: id, headers: string(headers)})
	}
	k.webhooks = append(k.webhooks, c.Webhooks...)
}

func (k *kept) addJob(c job.Change, recipes *recipe.Writer) error {
	recipe, err := recipeText(c.Job, recipes)
	if err != nil {
		return err
	}
	k.jobs = append(k.jobs, accepted{Job: c.Job, recipe: recipe})
	k.add(c.Job.ID, c)
	return nil
}

func (k *kept) addResults(j job.Job) {
	for i, r := range j.Results {
		k.results = append(k.results, madeResult{Result: r, job: j.ID, image: j.ImageID, position: int64(i)})
	}
}

func recipeText(j job.Job, recipes *recipe.Writer) (string, error) {
	b, err := recipes.Write(j.Recipe)
	return text(b), fault.Wrap(err, fault.Internal, "", "the recipe cannot be kept")
}

// statement makes all of it in one round trip.
func (k *kept) statement() *statement {
	var s statement
	if len(k.images) > 0 {
		s.insert("images", "", imageValues(k.images)...)
	}
	if len(k.batches) > 0 {
		s.insert("batches", "", batchValues(k.batches)...)
	}
	if len(k.jobs) > 0 {
		s.insert("jobs", "", acceptedValues(k.jobs)...)
	}
	if len(k.changed) > 0 {
		s.update("jobs", "sequence", changedValues(k.changed)...)
	}
	if len(k.results) > 0 {
		s.insert("results", "", resultValues(k.results)...)
	}
	if len(k.events) > 0 {
		s.insert("events", "", eventValues(k.events)...)
	}
	if len(k.messages) > 0 {
		s.insert("outbox", "", messageValues(k.messages)...)
	}
	if len(k.webhooks) > 0 {
		s.insert("webhooks", "", webhookValues(k.webhooks)...)
	}
	if len(k.receipts) > 0 {
		// What stands under the key now, if anything, has expired.
		s.insert("receipts", `ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, image_id = excluded.image_id, job_id = excluded.job_id,
			batch_id = excluded.batch_id, created = excluded.created, expires = excluded.expires`, receiptValues(k.receipts)...)
	}
	return &s
}
