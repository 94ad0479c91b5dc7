-- The tables of crmkit's core as they were before contacts had profiles, with the data of a small shop (pg_dump --inserts).
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.crm_contact_points (
    kind character varying(20) NOT NULL COLLATE pg_catalog."C",
    scope character varying(64) NOT NULL COLLATE pg_catalog."C",
    key character varying(255) NOT NULL COLLATE pg_catalog."C",
    rank bigint NOT NULL,
    contact_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    value text NOT NULL COLLATE pg_catalog."C",
    added_at bigint NOT NULL
);
CREATE TABLE public.crm_contacts (
    id uuid NOT NULL,
    kind character varying(20) NOT NULL COLLATE pg_catalog."C",
    name character varying(300) NOT NULL COLLATE pg_catalog."C",
    given_name character varying(300) NOT NULL COLLATE pg_catalog."C",
    family_name character varying(300) NOT NULL COLLATE pg_catalog."C",
    locale character varying(35) NOT NULL COLLATE pg_catalog."C",
    zone character varying(64) NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE TABLE public.crm_cursors (
    name character varying(100) NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    lease_until bigint NOT NULL,
    holder uuid
);
CREATE TABLE public.crm_deliveries (
    id uuid NOT NULL,
    key character varying(200) NOT NULL COLLATE pg_catalog."C",
    channel character varying(30) NOT NULL COLLATE pg_catalog."C",
    recipient character varying(320) NOT NULL COLLATE pg_catalog."C",
    address character varying(320) NOT NULL COLLATE pg_catalog."C",
    contact_id uuid,
    topic character varying(100) NOT NULL COLLATE pg_catalog."C",
    repeat character varying(20) NOT NULL COLLATE pg_catalog."C",
    state character varying(20) NOT NULL COLLATE pg_catalog."C",
    due_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    queued_at bigint NOT NULL,
    attempt bigint NOT NULL,
    claim uuid,
    reason text NOT NULL COLLATE pg_catalog."C",
    provider_id character varying(300) NOT NULL COLLATE pg_catalog."C",
    name character varying(300) NOT NULL COLLATE pg_catalog."C",
    locale character varying(35) NOT NULL COLLATE pg_catalog."C",
    content text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.crm_event_personal (
    event_id uuid NOT NULL,
    data text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.crm_events (
    id uuid NOT NULL,
    type character varying(60) NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    key character varying(255) NOT NULL COLLATE pg_catalog."C",
    contact_id uuid,
    subject_id uuid,
    actor character varying(100) NOT NULL COLLATE pg_catalog."C",
    cause_id uuid,
    occurred_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    "position" bigint,
    data text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.crm_failures (
    id uuid NOT NULL,
    at bigint NOT NULL,
    owner character varying(100) NOT NULL COLLATE pg_catalog."C",
    what character varying(200) NOT NULL COLLATE pg_catalog."C",
    subject character varying(255) NOT NULL COLLATE pg_catalog."C",
    error text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.crm_installation (
    name character varying(50) NOT NULL COLLATE pg_catalog."C",
    value character varying(500) NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.crm_loyalty_lots (
    id uuid NOT NULL,
    contact_id uuid NOT NULL,
    unit character varying(30) NOT NULL COLLATE pg_catalog."C",
    quantity bigint NOT NULL,
    transaction_id uuid NOT NULL,
    subject_id uuid,
    active_from bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE TABLE public.crm_loyalty_postings (
    transaction_id uuid NOT NULL,
    n bigint NOT NULL,
    contact_id uuid NOT NULL,
    unit character varying(30) NOT NULL COLLATE pg_catalog."C",
    account character varying(20) NOT NULL COLLATE pg_catalog."C",
    lot_id uuid,
    amount bigint NOT NULL
);
CREATE TABLE public.crm_loyalty_transactions (
    id uuid NOT NULL,
    key character varying(255) NOT NULL COLLATE pg_catalog."C",
    kind character varying(20) NOT NULL COLLATE pg_catalog."C",
    contact_id uuid NOT NULL,
    unit character varying(30) NOT NULL COLLATE pg_catalog."C",
    effective_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    cause_id uuid,
    subject_id uuid,
    content text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.crm_loyalty_wallets (
    contact_id uuid NOT NULL,
    unit character varying(30) NOT NULL COLLATE pg_catalog."C",
    revision bigint NOT NULL,
    opened_at bigint NOT NULL
);
CREATE TABLE public.crm_orders (
    id uuid NOT NULL,
    key character varying(100) NOT NULL COLLATE pg_catalog."C",
    contact_id uuid,
    state character varying(20) NOT NULL COLLATE pg_catalog."C",
    currency character varying(3) NOT NULL COLLATE pg_catalog."C",
    total bigint NOT NULL,
    refunded bigint NOT NULL,
    placed_at bigint NOT NULL,
    paid_at bigint NOT NULL,
    shipped_at bigint NOT NULL,
    cancelled_at bigint NOT NULL,
    lines_event_id uuid NOT NULL
);
CREATE TABLE public.crm_pauses (
    channel character varying(30) NOT NULL COLLATE pg_catalog."C",
    scope character varying(20) NOT NULL COLLATE pg_catalog."C",
    value character varying(320) NOT NULL COLLATE pg_catalog."C",
    until bigint NOT NULL,
    reason text NOT NULL COLLATE pg_catalog."C"
);
INSERT INTO public.crm_contact_points VALUES ('email', '', 'ann@example.com', 0, '019bc186-de00-7000-9ef9-1b50b798fb6d', 0, 'ann@example.com', 1768478400000000);
INSERT INTO public.crm_contact_points VALUES ('phone', '', '+442079460001', 0, '019bc186-de00-7000-9ef9-1b50b798fb6d', 1, '+442079460001', 1768478400000000);
INSERT INTO public.crm_contact_points VALUES ('postal', 'GB', '0b9e769468e1c5005b4544b3aa448bc7b0ff54b15dfdede1c99b11dd409af920', 0, '019bc186-de00-7000-9ef9-1b50b798fb6d', 2, '1 High Street
London', 1768478400000000);
INSERT INTO public.crm_contact_points VALUES ('email', '', 'office@example.org', 0, '019bc186-de00-7002-bfc4-31569fd11bda', 0, 'office@example.org', 1768478400000000);
INSERT INTO public.crm_contact_points VALUES ('handle', 'mastodon', 'ngoc', 0, '019bc186-de00-7004-aac3-2733da6659f4', 0, 'ngoc', 1768478400000000);
INSERT INTO public.crm_contact_points VALUES ('external', 'shop', '7', 0, '019bc186-de00-7000-9ef9-1b50b798fb6d', 3, '7', 1768478400000000);
INSERT INTO public.crm_contact_points VALUES ('email', '', 'guest@example.net', 0, '019bc186-de00-7016-aed8-c67386eab3ed', 0, 'guest@example.net', 1768478400000000);
INSERT INTO public.crm_contacts VALUES ('019bc186-de00-7000-9ef9-1b50b798fb6d', 'person', 'Ann Example', 'Ann', 'Example', 'en', '', 1768478400000000, 1768478400000000);
INSERT INTO public.crm_contacts VALUES ('019bc186-de00-7004-aac3-2733da6659f4', 'person', 'Nguyễn Thị Ngọc', '', '', 'vi', 'Asia/Ho_Chi_Minh', 1768478400000000, 1768478400000000);
INSERT INTO public.crm_contacts VALUES ('019bc186-de00-7002-bfc4-31569fd11bda', 'organisation', 'Example Limited', '', '', '', '', 1768478400000000, 1768478400000000);
INSERT INTO public.crm_contacts VALUES ('019bc186-de00-7016-aed8-c67386eab3ed', 'person', '', '', '', '', '', 1768478400000000, 1768478400000000);
INSERT INTO public.crm_cursors VALUES ('events', 20, 253402300799999999, NULL);
INSERT INTO public.crm_cursors VALUES ('relay:default', 20, 1768485600000000, '019bc1f4-bb00-7005-ac2b-84705b566faa');
INSERT INTO public.crm_deliveries VALUES ('019bc186-de00-701f-a5f5-c11ef189c8b6', 'news:1', 'absent', '019bc186-de00-7000-9ef9-1b50b798fb6d', '', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'news', 'at_least_once', 'held', 253402300799999999, 253402300799999999, 1768478400000000, 0, NULL, 'no channel ''absent'' is enabled', '', 'Ann Example', 'en', '{"subject":"News","text":"News"}');
INSERT INTO public.crm_deliveries VALUES ('019bc186-de00-701e-b0fe-c11609577d2a', 'thanks:A1', 'email', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'ann@example.com', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'thank-you', 'at_least_once', 'sent', 253402300799999999, 253402300799999999, 1768478400000000, 1, '019bc1f4-bb00-7006-8941-324ed583f305', '', 'email-1', 'Ann Example', 'en', '{"subject":"Thank you","text":"Thank you, Ann."}');
INSERT INTO public.crm_event_personal VALUES ('019bc186-de00-7001-82ba-cc596a16afaf', '{"name":"Ann Example","points":["email:ann@example.com","phone:+442079460001","postal:GB:1 High Street\nLondon"]}');
INSERT INTO public.crm_event_personal VALUES ('019bc186-de00-7003-972f-f2b36fb38e56', '{"name":"Example Ltd","points":["email:office@example.org"]}');
INSERT INTO public.crm_event_personal VALUES ('019bc186-de00-7005-8e64-557ebff4f427', '{"name":"Nguyễn Thị Ngọc","points":["handle:mastodon:ngoc"]}');
INSERT INTO public.crm_event_personal VALUES ('019bc186-de00-7006-b414-90548ca7747f', '{"after":{"name":"Example Limited"},"before":{"name":"Example Ltd"}}');
INSERT INTO public.crm_event_personal VALUES ('019bc186-de00-7007-b022-71c1689d8ec5', '{"points":["external:shop:7"]}');
INSERT INTO public.crm_event_personal VALUES ('019bc186-de00-7017-9ea0-5af7f5a3fff5', '{"points":["email:guest@example.net"]}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7001-82ba-cc596a16afaf', 'ContactAdded', 1, 'ContactAdded:019bc186-de00-7001-82ba-cc596a16afaf', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'system', NULL, 1768478400000000, 1768478400000000, 1, '{}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7003-972f-f2b36fb38e56', 'ContactAdded', 1, 'ContactAdded:019bc186-de00-7003-972f-f2b36fb38e56', '019bc186-de00-7002-bfc4-31569fd11bda', '019bc186-de00-7002-bfc4-31569fd11bda', 'system', NULL, 1768478400000000, 1768478400000000, 2, '{}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7005-8e64-557ebff4f427', 'ContactAdded', 1, 'ContactAdded:019bc186-de00-7005-8e64-557ebff4f427', '019bc186-de00-7004-aac3-2733da6659f4', '019bc186-de00-7004-aac3-2733da6659f4', 'system', NULL, 1768478400000000, 1768478400000000, 3, '{}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7006-b414-90548ca7747f', 'ContactUpdated', 1, 'ContactUpdated:019bc186-de00-7006-b414-90548ca7747f', '019bc186-de00-7002-bfc4-31569fd11bda', '019bc186-de00-7002-bfc4-31569fd11bda', 'system', NULL, 1768478400000000, 1768478400000000, 4, '{"fields":["name"]}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7007-b022-71c1689d8ec5', 'ContactPointsAdded', 1, 'ContactPointsAdded:019bc186-de00-7007-b022-71c1689d8ec5', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'system', NULL, 1768478400000000, 1768478400000000, 5, '{}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7009-91a7-45ff44bfdc3f', 'OrderRecorded', 1, 'order:A1', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7008-a92f-050cab15dc14', 'system', NULL, 1768478400000000, 1768478400000000, 6, '{"order":{"contact_id":"019bc186-de00-7000-9ef9-1b50b798fb6d","currency":"GBP","key":"A1","lines":[{"id":"1","name":"Earl Grey","quantity":2,"sku":"TEA","tax":100,"total":1000},{"id":"2","quantity":1,"sku":"CUP","total":500}],"placed_at":1768478400000000},"state":"paid"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-700a-b486-c62eab88376f', 'OrderPaid', 1, 'order:A1:paid', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7008-a92f-050cab15dc14', 'system', '019bc186-de00-7009-91a7-45ff44bfdc3f', 1768478400000000, 1768478400000000, 7, '{"amount":[1500,"GBP"],"awards":[{"amount":15,"inputs":{"base":"goods","currency":"GBP","exponent":2,"minor":1500,"rate":"1","rounding":"floor"},"owner":"loyalty","rule":"points-per-unit@1"}],"order_key":"A1"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-700d-908e-3a4ca6563431', 'PointsEarned', 1, 'PointsEarned:019bc186-de00-700d-908e-3a4ca6563431', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7008-a92f-050cab15dc14', 'system', '019bc186-de00-700a-b486-c62eab88376f', 1768478400000000, 1768478400000000, 8, '{"amount":15,"order_key":"A1","rules":{"points-per-unit@1":15},"unit":"points"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7017-9ea0-5af7f5a3fff5', 'ContactAdded', 1, 'ContactAdded:019bc186-de00-7017-9ea0-5af7f5a3fff5', '019bc186-de00-7016-aed8-c67386eab3ed', '019bc186-de00-7016-aed8-c67386eab3ed', 'system', NULL, 1768478400000000, 1768478400000000, 13, '{}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-700f-b478-bf81dced7846', 'OrderRecorded', 1, 'order:A2', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-700e-b49a-1568859ef87b', 'system', NULL, 1768478400000000, 1768478400000000, 9, '{"order":{"contact_id":"019bc186-de00-7000-9ef9-1b50b798fb6d","currency":"GBP","key":"A2","lines":[{"id":"1","name":"Earl Grey","quantity":2,"sku":"TEA","tax":100,"total":2000},{"id":"2","quantity":1,"sku":"CUP","total":500}],"placed_at":1768478400000000},"state":"paid"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7010-84c8-583d7bfc7b4c', 'OrderPaid', 1, 'order:A2:paid', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-700e-b49a-1568859ef87b', 'system', '019bc186-de00-700f-b478-bf81dced7846', 1768478400000000, 1768478400000000, 10, '{"amount":[2500,"GBP"],"awards":[{"amount":25,"inputs":{"base":"goods","currency":"GBP","exponent":2,"minor":2500,"rate":"1","rounding":"floor"},"owner":"loyalty","rule":"points-per-unit@1"}],"order_key":"A2"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7013-8f1a-f17ae86ec417', 'PointsEarned', 1, 'PointsEarned:019bc186-de00-7013-8f1a-f17ae86ec417', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-700e-b49a-1568859ef87b', 'system', '019bc186-de00-7010-84c8-583d7bfc7b4c', 1768478400000000, 1768478400000000, 11, '{"amount":25,"order_key":"A2","rules":{"points-per-unit@1":25},"unit":"points"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7015-a465-9ceb11ea8b91', 'OrderRecorded', 1, 'order:A3', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7014-871a-ca5a08d9997a', 'system', NULL, 1768478400000000, 1768478400000000, 12, '{"order":{"contact_id":"019bc186-de00-7000-9ef9-1b50b798fb6d","currency":"GBP","key":"A3","lines":[{"id":"1","name":"Earl Grey","quantity":2,"sku":"TEA","tax":100,"total":3000},{"id":"2","quantity":1,"sku":"CUP","total":500}],"placed_at":1768478400000000}}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-7019-9b87-e20e9fef0f9b', 'OrderRecorded', 1, 'order:G1', '019bc186-de00-7016-aed8-c67386eab3ed', '019bc186-de00-7018-9496-e85df314e4ef', 'system', NULL, 1768478400000000, 1768478400000000, 14, '{"order":{"contact_id":"019bc186-de00-7016-aed8-c67386eab3ed","currency":"GBP","key":"G1","lines":[{"id":"1","quantity":1,"sku":"TEA","total":700}],"placed_at":1768478400000000},"state":"paid"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-701a-8bbc-7b02c8ecdf2a', 'OrderPaid', 1, 'order:G1:paid', '019bc186-de00-7016-aed8-c67386eab3ed', '019bc186-de00-7018-9496-e85df314e4ef', 'system', '019bc186-de00-7019-9b87-e20e9fef0f9b', 1768478400000000, 1768478400000000, 15, '{"amount":[700,"GBP"],"awards":[{"amount":7,"inputs":{"base":"goods","currency":"GBP","exponent":2,"minor":700,"rate":"1","rounding":"floor"},"owner":"loyalty","rule":"points-per-unit@1"}],"order_key":"G1"}');
INSERT INTO public.crm_events VALUES ('019bc186-de00-701d-b307-b7859355592d', 'PointsEarned', 1, 'PointsEarned:019bc186-de00-701d-b307-b7859355592d', '019bc186-de00-7016-aed8-c67386eab3ed', '019bc186-de00-7018-9496-e85df314e4ef', 'system', '019bc186-de00-701a-8bbc-7b02c8ecdf2a', 1768478400000000, 1768478400000000, 16, '{"amount":7,"order_key":"G1","rules":{"points-per-unit@1":7},"unit":"points"}');
INSERT INTO public.crm_events VALUES ('019bc1f4-bb00-7000-83c9-685abf8e5650', 'OrderRefunded', 1, 'order:A1:refund:R1', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7008-a92f-050cab15dc14', 'system', NULL, 1768485600000000, 1768485600000000, 17, '{"amount":[500,"GBP"],"order_key":"A1","parts":{"1":{"minor":333},"2":{"minor":167}},"refund_key":"R1","returned":{"1":{"minor":333},"2":{"minor":167}},"whole":false}');
INSERT INTO public.crm_events VALUES ('019bc1f4-bb00-7002-88a8-86e93d2226f7', 'PointsClawedBack', 1, 'PointsClawedBack:019bc1f4-bb00-7002-88a8-86e93d2226f7', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7008-a92f-050cab15dc14', 'system', '019bc1f4-bb00-7000-83c9-685abf8e5650', 1768485600000000, 1768485600000000, 18, '{"amount":5,"because":"refunded","order_key":"A1","unit":"points"}');
INSERT INTO public.crm_events VALUES ('019bc1f4-bb00-7003-b0cd-58b912f298ad', 'OrderShipped', 1, 'order:A2:shipped', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-700e-b49a-1568859ef87b', 'system', NULL, 1768485600000000, 1768485600000000, 19, '{"order_key":"A2","tracking":"T1"}');
INSERT INTO public.crm_events VALUES ('019bc1f4-bb00-7004-88c2-cf7532cdbf64', 'OrderCancelled', 1, 'order:A3:cancel', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-7014-871a-ca5a08d9997a', 'system', NULL, 1768485600000000, 1768485600000000, 20, '{"order_key":"A3","reason":"changed my mind"}');
INSERT INTO public.crm_events VALUES ('019bc1f4-bb00-7007-9a28-6bfb5d92cc79', 'MessageSent', 1, 'message:019bc186-de00-701e-b0fe-c11609577d2a:sent', '019bc186-de00-7000-9ef9-1b50b798fb6d', '019bc186-de00-701e-b0fe-c11609577d2a', 'system', NULL, 1768485600000000, 1768485600000000, NULL, '{"channel":"email","delivery_id":"019bc186-de00-701e-b0fe-c11609577d2a","provider_id":"email-1","topic":"thank-you"}');
INSERT INTO public.crm_installation VALUES ('owner', 'crm.create_tables()');
INSERT INTO public.crm_installation VALUES ('place', 'upgrade test');
INSERT INTO public.crm_installation VALUES ('schema_version', '1');
INSERT INTO public.crm_loyalty_lots VALUES ('019bc186-de00-700b-b66b-3f43f95184e8', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 15, '019bc186-de00-700c-9b3a-bf40630456fc', '019bc186-de00-7008-a92f-050cab15dc14', 1768478400000000, 253402300799999999);
INSERT INTO public.crm_loyalty_lots VALUES ('019bc186-de00-7011-9bff-8104fbe72524', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 25, '019bc186-de00-7012-9384-46f557ae5c69', '019bc186-de00-700e-b49a-1568859ef87b', 1768478400000000, 253402300799999999);
INSERT INTO public.crm_loyalty_lots VALUES ('019bc186-de00-701b-830b-97606ef17f2c', '019bc186-de00-7016-aed8-c67386eab3ed', 'points', 7, '019bc186-de00-701c-b868-25d41a588595', '019bc186-de00-7018-9496-e85df314e4ef', 1768478400000000, 253402300799999999);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc186-de00-700c-9b3a-bf40630456fc', 1, '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 'issuance', '019bc186-de00-700b-b66b-3f43f95184e8', -15);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc186-de00-700c-9b3a-bf40630456fc', 2, '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 'active', '019bc186-de00-700b-b66b-3f43f95184e8', 15);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc186-de00-7012-9384-46f557ae5c69', 1, '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 'issuance', '019bc186-de00-7011-9bff-8104fbe72524', -25);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc186-de00-7012-9384-46f557ae5c69', 2, '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 'active', '019bc186-de00-7011-9bff-8104fbe72524', 25);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc186-de00-701c-b868-25d41a588595', 1, '019bc186-de00-7016-aed8-c67386eab3ed', 'points', 'issuance', '019bc186-de00-701b-830b-97606ef17f2c', -7);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc186-de00-701c-b868-25d41a588595', 2, '019bc186-de00-7016-aed8-c67386eab3ed', 'points', 'active', '019bc186-de00-701b-830b-97606ef17f2c', 7);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc1f4-bb00-7001-8086-44d2a9b8577d', 1, '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 'clawed', '019bc186-de00-700b-b66b-3f43f95184e8', 5);
INSERT INTO public.crm_loyalty_postings VALUES ('019bc1f4-bb00-7001-8086-44d2a9b8577d', 2, '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 'active', '019bc186-de00-700b-b66b-3f43f95184e8', -5);
INSERT INTO public.crm_loyalty_transactions VALUES ('019bc186-de00-700c-9b3a-bf40630456fc', 'order:A1:paid', 'earn', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 1768478400000000, 1768478400000000, '019bc186-de00-700a-b486-c62eab88376f', '019bc186-de00-7008-a92f-050cab15dc14', '{"base":"goods","owner":"loyalty","rule":"points-per-unit@1"}');
INSERT INTO public.crm_loyalty_transactions VALUES ('019bc186-de00-7012-9384-46f557ae5c69', 'order:A2:paid', 'earn', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 1768478400000000, 1768478400000000, '019bc186-de00-7010-84c8-583d7bfc7b4c', '019bc186-de00-700e-b49a-1568859ef87b', '{"base":"goods","owner":"loyalty","rule":"points-per-unit@1"}');
INSERT INTO public.crm_loyalty_transactions VALUES ('019bc186-de00-701c-b868-25d41a588595', 'order:G1:paid', 'earn', '019bc186-de00-7016-aed8-c67386eab3ed', 'points', 1768478400000000, 1768478400000000, '019bc186-de00-701a-8bbc-7b02c8ecdf2a', '019bc186-de00-7018-9496-e85df314e4ef', '{"base":"goods","owner":"loyalty","rule":"points-per-unit@1"}');
INSERT INTO public.crm_loyalty_transactions VALUES ('019bc1f4-bb00-7001-8086-44d2a9b8577d', 'order:A1:refund:R1', 'claw-back', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 1768485600000000, 1768485600000000, '019bc1f4-bb00-7000-83c9-685abf8e5650', '019bc186-de00-7008-a92f-050cab15dc14', '{"base":"goods","because":"refunded","before":0,"earned":15,"lot":"019bc186-de00-700b-b66b-3f43f95184e8","minor":1500,"refunded":"500","rule":"points-per-unit@1","whole":false}');
INSERT INTO public.crm_loyalty_wallets VALUES ('019bc186-de00-7016-aed8-c67386eab3ed', 'points', 1, 1768478400000000);
INSERT INTO public.crm_loyalty_wallets VALUES ('019bc186-de00-7000-9ef9-1b50b798fb6d', 'points', 3, 1768478400000000);
INSERT INTO public.crm_orders VALUES ('019bc186-de00-7018-9496-e85df314e4ef', 'G1', '019bc186-de00-7016-aed8-c67386eab3ed', 'paid', 'GBP', 700, 0, 1768478400000000, 1768478400000000, 253402300799999999, 253402300799999999, '019bc186-de00-7019-9b87-e20e9fef0f9b');
INSERT INTO public.crm_orders VALUES ('019bc186-de00-7008-a92f-050cab15dc14', 'A1', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'paid', 'GBP', 1500, 500, 1768478400000000, 1768478400000000, 253402300799999999, 253402300799999999, '019bc186-de00-7009-91a7-45ff44bfdc3f');
INSERT INTO public.crm_orders VALUES ('019bc186-de00-700e-b49a-1568859ef87b', 'A2', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'shipped', 'GBP', 2500, 0, 1768478400000000, 1768478400000000, 1768485600000000, 253402300799999999, '019bc186-de00-700f-b478-bf81dced7846');
INSERT INTO public.crm_orders VALUES ('019bc186-de00-7014-871a-ca5a08d9997a', 'A3', '019bc186-de00-7000-9ef9-1b50b798fb6d', 'cancelled', 'GBP', 3500, 0, 1768478400000000, 253402300799999999, 253402300799999999, 1768485600000000, '019bc186-de00-7015-a465-9ceb11ea8b91');
ALTER TABLE ONLY public.crm_contact_points
    ADD CONSTRAINT crm_contact_points_pkey PRIMARY KEY (kind, scope, key, rank);
ALTER TABLE ONLY public.crm_contacts
    ADD CONSTRAINT crm_contacts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.crm_cursors
    ADD CONSTRAINT crm_cursors_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.crm_deliveries
    ADD CONSTRAINT crm_deliveries_key_channel_recipient_key UNIQUE (key, channel, recipient);
ALTER TABLE ONLY public.crm_deliveries
    ADD CONSTRAINT crm_deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.crm_event_personal
    ADD CONSTRAINT crm_event_personal_pkey PRIMARY KEY (event_id);
ALTER TABLE ONLY public.crm_events
    ADD CONSTRAINT crm_events_key_key UNIQUE (key);
ALTER TABLE ONLY public.crm_events
    ADD CONSTRAINT crm_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.crm_failures
    ADD CONSTRAINT crm_failures_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.crm_installation
    ADD CONSTRAINT crm_installation_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.crm_loyalty_lots
    ADD CONSTRAINT crm_loyalty_lots_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.crm_loyalty_postings
    ADD CONSTRAINT crm_loyalty_postings_pkey PRIMARY KEY (transaction_id, n);
ALTER TABLE ONLY public.crm_loyalty_transactions
    ADD CONSTRAINT crm_loyalty_transactions_key_key UNIQUE (key);
ALTER TABLE ONLY public.crm_loyalty_transactions
    ADD CONSTRAINT crm_loyalty_transactions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.crm_loyalty_wallets
    ADD CONSTRAINT crm_loyalty_wallets_pkey PRIMARY KEY (contact_id, unit);
ALTER TABLE ONLY public.crm_orders
    ADD CONSTRAINT crm_orders_key_key UNIQUE (key);
ALTER TABLE ONLY public.crm_orders
    ADD CONSTRAINT crm_orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.crm_pauses
    ADD CONSTRAINT crm_pauses_pkey PRIMARY KEY (channel, scope, value);
CREATE INDEX crm_contact_points_of ON public.crm_contact_points USING btree (contact_id, ordinal);
CREATE INDEX crm_deliveries_due ON public.crm_deliveries USING btree (due_at, id);
CREATE INDEX crm_deliveries_state ON public.crm_deliveries USING btree (state, queued_at, id);
CREATE INDEX crm_events_position ON public.crm_events USING btree ("position", id);
CREATE INDEX crm_events_subject ON public.crm_events USING btree (subject_id, id);
CREATE INDEX crm_events_timeline ON public.crm_events USING btree (contact_id, occurred_at, id);
CREATE INDEX crm_loyalty_lots_subject ON public.crm_loyalty_lots USING btree (subject_id);
CREATE INDEX crm_loyalty_postings_wallet ON public.crm_loyalty_postings USING btree (contact_id, unit, account, lot_id, amount);
CREATE INDEX crm_loyalty_transactions_statement ON public.crm_loyalty_transactions USING btree (contact_id, unit, effective_at, id);
CREATE INDEX crm_orders_of ON public.crm_orders USING btree (contact_id, placed_at, id);
