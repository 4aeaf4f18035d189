DROP INDEX "sluice"."deliveries_recorded_at_idx";--> statement-breakpoint
DROP INDEX "sluice"."decisions_trigger_key";--> statement-breakpoint
ALTER TABLE "sluice"."delivery_bodies" ADD COLUMN "recorded_at" timestamp with time zone DEFAULT now() NOT NULL;--> statement-breakpoint
CREATE INDEX "delivery_bodies_recorded_at_idx" ON "sluice"."delivery_bodies" USING btree ("recorded_at","delivery_id");--> statement-breakpoint
CREATE INDEX "events_new_sha_idx" ON "sluice"."events" USING btree ("new_sha" text_pattern_ops) WHERE "sluice"."events"."new_sha" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_recorded_at_idx" ON "sluice"."deliveries" USING btree ("recorded_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "decisions_trigger_key" ON "sluice"."decisions" USING btree ("trigger_id") WHERE "sluice"."decisions"."trigger_id" IS NOT NULL;--> statement-breakpoint
-- Numbers of events were drawn with room between them; from here on they are drawn one after the other.
SELECT setval('sluice.event_sequence', GREATEST((SELECT coalesce(max(sequence), 0) FROM sluice.events), 1));
