DROP INDEX "sluice"."events_old_sha_idx";--> statement-breakpoint
ALTER TABLE "sluice"."branches" ADD COLUMN "origin" text;--> statement-breakpoint
ALTER TABLE "sluice"."branches" ADD COLUMN "chain" text DEFAULT 'whole' NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."events" ADD COLUMN "told_again" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "events_branch_idx" ON "sluice"."events" USING btree ("repository_id","ref_name","sequence") WHERE "sluice"."events"."ref_kind" = 'branch';--> statement-breakpoint
ALTER TABLE "sluice"."branches" ADD CONSTRAINT "branches_chain_check" CHECK ("sluice"."branches"."chain" IN ('whole', 'broken', 'unsure'));