# Everything that Belfry needs of one AWS account and region, with alarms by e-mail.
#
#   tofu init && tofu apply -var on_call=you@example.com
#   belfry doctor --backend aws --fcm-credentials key.json

provider "aws" {
  region = var.region
}

resource "aws_sns_topic" "alarms" {
  name = "${var.prefix}-alarms"
}

resource "aws_sns_topic_subscription" "on_call" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.on_call
}

module "queues" {
  source = "../../modules/queues"

  prefix        = var.prefix
  alarm_actions = [aws_sns_topic.alarms.arn]
  tags          = var.tags
}

module "alarms" {
  source = "../../modules/alarms"

  prefix             = var.prefix
  alarm_actions      = [aws_sns_topic.alarms.arn]
  dispatcher_service = var.dispatcher_service
  tags               = var.tags
}

module "events" {
  source = "../../modules/events"

  prefix                       = var.prefix
  events_queue_arn             = module.queues.queue_arns["events"]
  events_queue_url             = module.queues.queue_urls["events"]
  events_dead_letter_queue_arn = module.queues.dead_letter_queue_arns["events"]
  events_dead_letter_queue_url = module.queues.dead_letter_queue_urls["events"]
  tags                         = var.tags
}

module "tables" {
  source = "../../modules/tables"

  prefix = var.prefix
  tags   = var.tags
}

module "pages" {
  source = "../../modules/pages"

  prefix = var.prefix
  tags   = var.tags
}
