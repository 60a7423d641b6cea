package client

import (
	"context"
	"net/url"
)

// StartBatchEarly begins to send a batch while it is being uploaded; its ttl
// counts from now. Recipients may be added as before until [Client.StartBatch]
// says that the upload is finished, or the batch expires. Until then it does not
// complete.
func (c *Client) StartBatchEarly(ctx context.Context, id string) (Notification, error) {
	cl, err := post(batchPath(id, "/start"), nil)
	if err != nil {
		return Notification{}, err
	}
	cl.query = url.Values{"early": {"true"}}
	var n Notification
	err = c.do(ctx, cl, &n)
	return n, err
}
