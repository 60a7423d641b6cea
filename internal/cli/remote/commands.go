package remote

// Commands are the commands, to embed in a grammar.
type Commands struct {
	Send         sendCmd         `cmd:"" group:"use" help:"Send a notification, to a few or to millions, and watch how it ends."`
	Batch        batchCmd        `cmd:"" group:"use" help:"Create, fill, start, list, watch, pause and cancel batches step by step."`
	Notification notificationCmd `cmd:"" group:"use" help:"Look at notifications and their deliveries; pause, resume and cancel them."`
	Explain      explainCmd      `cmd:"" group:"use" help:"Explain one delivery: what happened to it, when and why."`
	Approval     approvalCmd     `cmd:"" group:"use" help:"See, approve and refuse what needs a second person."`
	Usage        usageCmd        `cmd:"" group:"use" help:"Show what was used: requests, recipients, outcomes, billable units and cost."`
	Quota        quotaCmd        `cmd:"" group:"use" help:"Show the quotas of a tenant and how much of them is used."`
	Pause        pauseCmd        `cmd:"" group:"use" help:"Pause sending for everything, a tenant, an app, a lane or a label; or list what is paused."`
	Resume       resumeAllCmd    `cmd:"" group:"use" help:"Go on with what was paused."`
	Devices      devicesCmd      `cmd:"" group:"use" help:"Register, look up, restore and remove devices."`
	Privacy      privacyCmd      `cmd:"" group:"use" help:"Hand out or erase what is kept of a user, with a signed receipt."`
	Tenant       tenantCmd       `cmd:"" group:"use" help:"Make, show, change and end tenants."`
	App          appCmd          `cmd:"" group:"use" help:"Make, change and end the apps of a tenant, and give them their FCM credentials."`
	Key          keyCmd          `cmd:"" group:"use" help:"Make, list, rotate and revoke API keys."`
	Role         roleCmd         `cmd:"" group:"use" help:"Make, list and remove roles: what keys may."`
	Config       configCmd       `cmd:"" group:"use" help:"Show which settings hold and where they come from."`
}
