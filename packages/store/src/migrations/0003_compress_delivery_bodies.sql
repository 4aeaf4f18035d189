ALTER TABLE "sluice"."delivery_bodies" ADD COLUMN "encoding" text DEFAULT 'identity' NOT NULL;--> statement-breakpoint
ALTER TABLE "sluice"."delivery_bodies" ALTER COLUMN "encoding" DROP DEFAULT;--> statement-breakpoint
ALTER TABLE "sluice"."delivery_bodies" ALTER COLUMN "body" SET STORAGE EXTERNAL;
