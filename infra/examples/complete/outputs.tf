output "environment" {
  description = "Settings of the services."
  value = {
    BELFRY_BACKEND    = "aws"
    BELFRY_AWS_PREFIX = var.prefix
    BELFRY_AWS_BUCKET = module.pages.bucket
    BELFRY_EMF        = "true"
    AWS_REGION        = var.region
  }
}

output "events_topic_arn" {
  description = "Where other services publish requests."
  value       = module.events.events_topic_arn
}

output "outcomes_topic_arn" {
  description = "Where Belfry publishes outcomes."
  value       = module.events.outcomes_topic_arn
}
