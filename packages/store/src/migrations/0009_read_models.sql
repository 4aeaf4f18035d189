DROP INDEX "sluice"."decisions_target_idx";--> statement-breakpoint
CREATE INDEX "deliveries_failed_idx" ON "sluice"."deliveries" USING btree ("recorded_at","id") WHERE "sluice"."deliveries"."outcome" = 'failed';--> statement-breakpoint
CREATE INDEX "decisions_held_idx" ON "sluice"."decisions" USING btree ("id") WHERE "sluice"."decisions"."outcome" = 'hold';--> statement-breakpoint
CREATE INDEX "triggers_commit_idx" ON "sluice"."triggers" USING btree ("commit_sha" text_pattern_ops);--> statement-breakpoint
CREATE INDEX "triggers_repository_idx" ON "sluice"."triggers" USING btree ("repository_id","id");--> statement-breakpoint
CREATE INDEX "decisions_target_idx" ON "sluice"."decisions" USING btree ("target_id","id");